package pulse

import (
	"encoding/binary"
	"testing"
)

func TestHeartbeat(t *testing.T) {
	const every, limit = 100, 30
	for _, c := range []struct {
		name         string
		h            Heart
		now, last    int64
		every, limit int64
		deaf         bool
		next         int64
		todo         Todo
		pingAt       int64
	}{
		{name: "nothing is due", now: 50, last: 10, limit: limit, next: 110, todo: Wait},
		{name: "a ping is due", now: 110, last: 10, limit: limit, next: 140, todo: Ping, pingAt: 110},
		{name: "the answer has no limit", now: 110, last: 10, limit: -1, next: 210, todo: Ping, pingAt: 110},
		{name: "the pong may still come", h: Heart{pingAt: 110}, now: 120, last: 10, limit: limit, next: 140, todo: Wait, pingAt: 110},
		{name: "no pong has come", h: Heart{pingAt: 110}, now: 140, last: 10, limit: limit, next: Never, todo: GiveUp, pingAt: 110},
		{name: "no pong is wanted", h: Heart{pingAt: 110}, now: 210, last: 10, limit: -1, next: 310, todo: Wait},
		{name: "other bytes have come", h: Heart{pingAt: 110}, now: 140, last: 120, limit: limit, next: 220, todo: Wait},
		{name: "what has come was not read", h: Heart{pingAt: 110}, now: 140, last: 10, limit: limit, deaf: true, next: 210, todo: Wait},
	} {
		next, todo := c.h.Beat(c.now, c.last, every, c.limit, c.deaf)
		if next != c.next || todo != c.todo || c.h.pingAt != c.pingAt {
			t.Errorf("%s: look again at %d, do %d, pinged at %d", c.name, next, todo, c.h.pingAt)
		}
	}
}

func TestHeartbeatMeasuresItsOwnPings(t *testing.T) {
	h := Heart{pingAt: 100}
	h.Pong([]byte("of another"), 107)
	h.Pong(binary.BigEndian.AppendUint64(nil, 99), 107)
	if h.rtt != 0 {
		t.Fatalf("%d", h.rtt)
	}
	if h.Pong(binary.BigEndian.AppendUint64(nil, 100), 107); h.rtt != 7 {
		t.Fatalf("%d", h.rtt)
	}
}

func TestHeartbeatSeesAMessageStall(t *testing.T) {
	var h Heart
	stall := int64(MessageStall)
	if at := h.StallsAt(5, false); at != Never {
		t.Errorf("without a message: %d", at)
	}
	if !h.Grew(true, 10) || h.Grew(true, 20) {
		t.Error("first once")
	}
	if at := h.StallsAt(25, false); at != 20+stall {
		t.Errorf("since it grew: %d", at)
	}
	if at := h.StallsAt(30, true); at != 30+stall {
		t.Errorf("while we do not read: %d", at)
	}
	if h.Grew(false, 40); h.StallsAt(50, false) != Never {
		t.Error("after its end")
	}
}
