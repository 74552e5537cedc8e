// Package pulse judges by the clock whether the peer of a connection lives, and when it
// has to hear that we do. It knows no connection.
package pulse

import (
	"encoding/binary"
	"math"
	"time"
)

const (
	MessageStall = 30 * time.Second // without a byte of an open message, then 1008
	Never        = int64(math.MaxInt64)
)

// Heart tells whether the peer lives and its messages progress. Times are on the
// loop's clock. It is guarded by the connection's mu.
type Heart struct {
	pingAt    int64 // when the ping that waits for its pong was sent; 0: none
	rtt       int64 // nanoseconds
	messageAt int64 // when the open message grew last; 0: none is open
}

// Todo is what is to be done for the heartbeat.
type Todo uint8

const (
	Wait   Todo = iota
	Ping        // send one
	GiveUp      // the peer has not answered
)

// Beat tells what is to be done at now, and when to look again. The peer was heard of
// last at last, is pinged when that was every ago, and is to answer within limit;
// negative: wheNever it likes. deaf: it may have been, had we read.
func (h *Heart) Beat(now, last, every, limit int64, deaf bool) (next int64, todo Todo) {
	if h.pingAt != 0 && (last >= h.pingAt || deaf) {
		last, h.pingAt = max(last, h.pingAt), 0
	}
	if h.pingAt != 0 {
		return h.judge(now, every, limit)
	}
	if due := last + every; now < due {
		return due, Wait
	}
	h.pingAt = now
	if limit > 0 {
		return now + limit, Ping
	}
	return now + every, Ping
}

// judge gives up a peer that has not answered a ping in time.
func (h *Heart) judge(now, every, limit int64) (next int64, todo Todo) {
	if limit < 0 {
		h.pingAt = 0
		return now + every, Wait
	}
	if due := h.pingAt + limit; now < due {
		return due, Wait
	}
	return Never, GiveUp
}

// Pong takes the round-trip time from the pong to our ping, and reports whether it is
// that.
func (h *Heart) Pong(payload []byte, now int64) bool {
	ours := h.pingAt != 0 && len(payload) == 8 && binary.BigEndian.Uint64(payload) == uint64(h.pingAt)
	if ours {
		h.rtt = now - h.pingAt
	}
	return ours
}

// Grew notes that the open message has grown, or that none is open any more. It
// reports whether this is the first that it hears of the message.
func (h *Heart) Grew(open bool, now int64) (first bool) {
	first = open && h.messageAt == 0
	h.messageAt = 0
	if open {
		h.messageAt = now
	}
	return first
}

// Resume has the open message begin anew to be waited for.
func (h *Heart) Resume(now int64) {
	if h.messageAt != 0 {
		h.messageAt = now
	}
}

// StallsAt is when the open message has not grown for too long. While we do not read,
// it cannot grow.
func (h *Heart) StallsAt(now int64, deaf bool) int64 {
	if h.messageAt == 0 {
		return Never
	}
	if deaf {
		h.messageAt = now
	}
	return h.messageAt + int64(MessageStall)
}

// RTT is the last round-trip time, in nanoseconds; 0: there was none.
func (h *Heart) RTT() int64 { return h.rtt }

// Restart is for another connection to the same peer.
func (h *Heart) Restart() { *h = Heart{rtt: h.rtt} }
