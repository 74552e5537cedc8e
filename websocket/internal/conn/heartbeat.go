package conn

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	MessageStall = 30 * time.Second // without a byte of an open message, then 1008
	never        = int64(math.MaxInt64)
)

var (
	errPongTimeout  = errors.New("websocket: peer did not answer a ping in time")
	errWriteTimeout = errors.New("websocket: peer took no bytes in time")
)

// heartbeat is what the wheel looks at, guarded by the connection's mu. Times are on
// the loop's clock.
type heartbeat struct {
	pingAt    int64 // when the ping that waits for its pong was sent; 0: none
	rtt       int64 // nanoseconds
	messageAt int64 // when the open message grew last; 0: none is open
}

// RTT is the time between the last ping of the heartbeat and its pong; 0 before the
// first.
func (c *Conn) RTT() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.heart.rtt)
}

// Tick is called by the wheel. It does what is due at now and returns when to look
// again; 0: never.
func (c *Conn) Tick(now int64) (next int64) {
	next, failure := c.tick(now)
	c.Flush()
	if failure != nil {
		c.drop(failure)
		return 0
	}
	if next == never {
		return 0
	}
	return next
}

// tick returns an error if the connection is to be given up.
func (c *Conn) tick(now int64) (next int64, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == Closed {
		return never, nil
	}
	closeAt, writeAt, messageAt := c.closeDueLocked(), c.writeDueLocked(), c.messageDueLocked(now)
	switch {
	case now >= closeAt:
		c.endLocked(nil)
		return never, nil
	case now >= writeAt:
		return never, errWriteTimeout
	case now >= messageAt:
		c.breachLocked(errStalled)
		return now + int64(lingerTime), nil
	}
	next, failure = c.beatLocked(now)
	return min(next, closeAt, writeAt, messageAt), failure
}

// closeDueLocked is when the wait for the peer's half of a close ends.
func (c *Conn) closeDueLocked() int64 {
	if at := c.ending.deadline; at != 0 {
		return at
	}
	return never
}

// writeDueLocked is when a peer that takes no bytes is given up.
func (c *Conn) writeDueLocked() int64 {
	if c.out.state != outBlocked {
		return never
	}
	return c.out.due(c.writeLimitLocked())
}

// writeLimitLocked is how long a peer may take no bytes. If that is not limited, a
// close still is.
func (c *Conn) writeLimitLocked() time.Duration {
	limit := c.cfg.WriteTimeout
	if c.out.box.answer > 0 {
		limit = c.cfg.HandshakeTimeout
	}
	if limit < 0 && c.phase == Closing {
		return c.cfg.CloseTimeout
	}
	return limit
}

// messageDueLocked is when an open message has not grown for too long. While we do
// not read, it cannot grow.
func (c *Conn) messageDueLocked(now int64) int64 {
	h := &c.heart
	if h.messageAt == 0 || c.phase != Open {
		return never
	}
	if c.reading == inPaused || c.run != atRest {
		h.messageAt = now
	}
	return h.messageAt + int64(MessageStall)
}

// beatLocked sends the ping of the heartbeat and judges whether the peer lives. A
// connection that we do not read has no chance to show that.
func (c *Conn) beatLocked(now int64) (next int64, failure error) {
	every := c.cfg.pingEvery(c.jitter)
	if every <= 0 || c.phase != Open {
		return never, nil
	}
	h := &c.heart
	last := c.activity.Load()
	if h.pingAt != 0 && (last >= h.pingAt || c.reading != inReading || c.run != atRest) {
		last, h.pingAt = max(last, h.pingAt), 0
	}
	if h.pingAt != 0 {
		return c.judgeLocked(now)
	}
	if due := last + every; now < due {
		return due, nil
	}
	c.thawLocked()
	h.pingAt = now
	c.out.control(c.cfg, wire.OpPing, binary.BigEndian.AppendUint64(nil, uint64(now)))
	if d := int64(c.cfg.PongTimeout); d > 0 {
		return now + d, nil
	}
	return now + every, nil
}

// judgeLocked gives up a peer that has not answered a ping in time.
func (c *Conn) judgeLocked(now int64) (next int64, failure error) {
	limit := int64(c.cfg.PongTimeout)
	if limit < 0 {
		c.heart.pingAt = 0
		return now + c.cfg.pingEvery(c.jitter), nil
	}
	if due := c.heart.pingAt + limit; now < due {
		return due, nil
	}
	c.out.control(c.cfg, wire.OpClose, wire.AppendClose(nil, internalError, "ping timeout"))
	c.endingLocked().sealed = true
	return never, errPongTimeout
}

// pingEvery is the ping interval of a connection: ±20 %, fixed by its jitter.
func (cfg *Config) pingEvery(jitter byte) int64 {
	d := int64(cfg.PingInterval)
	if d < 0 {
		return 0
	}
	return d*4/5 + d*2/5*int64(jitter)/255
}

// measureLocked takes the round-trip time from the pong to our ping.
func (c *Conn) measureLocked(payload []byte) {
	h := &c.heart
	if h.pingAt == 0 || len(payload) != 8 || binary.BigEndian.Uint64(payload) != uint64(h.pingAt) {
		return
	}
	h.rtt = c.cfg.Loop.Now() - h.pingAt
}

// watch has the wheel look at the connection for the first time.
func (c *Conn) watch() {
	now := c.cfg.Loop.Now()
	c.activity.Store(now)
	if every := c.cfg.pingEvery(c.jitter); every > 0 {
		c.cfg.Wheel.Schedule(c, now+every)
	}
}

// watchMessage notes that a message that comes in parts has grown, or has ended.
func (c *Conn) watchMessage(open bool) {
	now := c.cfg.Loop.Now()
	c.mu.Lock()
	first := c.heart.messageAt == 0
	c.heart.messageAt = 0
	if open {
		c.heart.messageAt = now
	}
	c.mu.Unlock()
	if every := c.cfg.pingEvery(c.jitter); open && first && (every == 0 || every > int64(MessageStall)) {
		c.cfg.Wheel.Schedule(c, now+int64(MessageStall))
	}
}
