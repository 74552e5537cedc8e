package conn

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	MessageStall = 30 * time.Second // without a byte of an open message, then 1008
	never        = int64(math.MaxInt64)
)

// heartbeat tells whether the peer lives and its messages progress. Times are on the
// loop's clock. It is guarded by the connection's mu.
type heartbeat struct {
	pingAt    int64 // when the ping that waits for its pong was sent; 0: none
	rtt       int64 // nanoseconds
	messageAt int64 // when the open message grew last; 0: none is open
}

// beat is what is to be done for the heartbeat.
type beat uint8

const (
	wait   beat = iota
	ping        // send one
	giveUp      // the peer has not answered
)

// beat tells what is to be done at now, and when to look again. The peer was heard of
// last at last, is pinged when that was every ago, and is to answer within limit;
// negative: whenever it likes. deaf: it may have been, had we read.
func (h *heartbeat) beat(now, last, every, limit int64, deaf bool) (next int64, todo beat) {
	if h.pingAt != 0 && (last >= h.pingAt || deaf) {
		last, h.pingAt = max(last, h.pingAt), 0
	}
	if h.pingAt != 0 {
		return h.judge(now, every, limit)
	}
	if due := last + every; now < due {
		return due, wait
	}
	h.pingAt = now
	if limit > 0 {
		return now + limit, ping
	}
	return now + every, ping
}

// judge gives up a peer that has not answered a ping in time.
func (h *heartbeat) judge(now, every, limit int64) (next int64, todo beat) {
	if limit < 0 {
		h.pingAt = 0
		return now + every, wait
	}
	if due := h.pingAt + limit; now < due {
		return due, wait
	}
	return never, giveUp
}

// pingEvery is the ping interval of a connection: ±20 %, fixed by its jitter.
func (cfg *Config) pingEvery(jitter byte) int64 {
	d := int64(cfg.PingInterval)
	if d < 0 {
		return 0
	}
	return d*4/5 + d*2/5*int64(jitter)/255
}

// pong takes the round-trip time from the pong to our ping, and reports whether it is
// that.
func (h *heartbeat) pong(payload []byte, now int64) bool {
	ours := h.pingAt != 0 && len(payload) == 8 && binary.BigEndian.Uint64(payload) == uint64(h.pingAt)
	if ours {
		h.rtt = now - h.pingAt
	}
	return ours
}

// grew notes that the open message has grown, or that none is open any more. It
// reports whether this is the first that it hears of the message.
func (h *heartbeat) grew(open bool, now int64) (first bool) {
	first = open && h.messageAt == 0
	h.messageAt = 0
	if open {
		h.messageAt = now
	}
	return first
}

// resume has the open message begin anew to be waited for.
func (h *heartbeat) resume(now int64) {
	if h.messageAt != 0 {
		h.messageAt = now
	}
}

// stallsAt is when the open message has not grown for too long. While we do not read,
// it cannot grow.
func (h *heartbeat) stallsAt(now int64, deaf bool) int64 {
	if h.messageAt == 0 {
		return never
	}
	if deaf {
		h.messageAt = now
	}
	return h.messageAt + int64(MessageStall)
}
