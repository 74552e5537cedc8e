package conn

import (
	"encoding/binary"
	"testing"
)

func TestHeartbeat(t *testing.T) {
	const every, limit = 100, 30
	for _, c := range []struct {
		name         string
		h            heartbeat
		now, last    int64
		every, limit int64
		deaf         bool
		next         int64
		todo         beat
		pingAt       int64
	}{
		{name: "nothing is due", now: 50, last: 10, limit: limit, next: 110, todo: wait},
		{name: "a ping is due", now: 110, last: 10, limit: limit, next: 140, todo: ping, pingAt: 110},
		{name: "the answer has no limit", now: 110, last: 10, limit: -1, next: 210, todo: ping, pingAt: 110},
		{name: "the pong may still come", h: heartbeat{pingAt: 110}, now: 120, last: 10, limit: limit, next: 140, todo: wait, pingAt: 110},
		{name: "no pong has come", h: heartbeat{pingAt: 110}, now: 140, last: 10, limit: limit, next: never, todo: giveUp, pingAt: 110},
		{name: "no pong is wanted", h: heartbeat{pingAt: 110}, now: 210, last: 10, limit: -1, next: 310, todo: wait},
		{name: "other bytes have come", h: heartbeat{pingAt: 110}, now: 140, last: 120, limit: limit, next: 220, todo: wait},
		{name: "what has come was not read", h: heartbeat{pingAt: 110}, now: 140, last: 10, limit: limit, deaf: true, next: 210, todo: wait},
	} {
		next, todo := c.h.beat(c.now, c.last, every, c.limit, c.deaf)
		if next != c.next || todo != c.todo || c.h.pingAt != c.pingAt {
			t.Errorf("%s: look again at %d, do %d, pinged at %d", c.name, next, todo, c.h.pingAt)
		}
	}
}

func TestHeartbeatMeasuresItsOwnPings(t *testing.T) {
	h := heartbeat{pingAt: 100}
	h.pong([]byte("of another"), 107)
	h.pong(binary.BigEndian.AppendUint64(nil, 99), 107)
	if h.rtt != 0 {
		t.Fatalf("%d", h.rtt)
	}
	if h.pong(binary.BigEndian.AppendUint64(nil, 100), 107); h.rtt != 7 {
		t.Fatalf("%d", h.rtt)
	}
}

func TestHeartbeatSeesAMessageStall(t *testing.T) {
	var h heartbeat
	stall := int64(MessageStall)
	if at := h.stallsAt(5, false); at != never {
		t.Errorf("without a message: %d", at)
	}
	if !h.grew(true, 10) || h.grew(true, 20) {
		t.Error("first once")
	}
	if at := h.stallsAt(25, false); at != 20+stall {
		t.Errorf("since it grew: %d", at)
	}
	if at := h.stallsAt(30, true); at != 30+stall {
		t.Errorf("while we do not read: %d", at)
	}
	if h.grew(false, 40); h.stallsAt(50, false) != never {
		t.Error("after its end")
	}
}
