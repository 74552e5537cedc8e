package conn

import (
	"time"

	"github.com/nextrush/nextrush/internal/transport"
)

// Flush writes what is queued, unless somebody is writing. The transport waits for a
// peer that is slow, never Flush.
func (c *Conn) Flush() {
	for more := true; more; {
		op, turn := c.startWrite()
		if op == nil {
			return
		}
		n, err := c.link.Write(op)
		more = c.wrote(turn, n, err)
	}
}

// startWrite begins a write if there is one to make, and tells its number.
func (c *Conn) startWrite() (op *transport.Op, turn uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dirty = false
	if c.output != outIdle || c.out == nil || len(c.out.pieces) == 0 || c.phase == Connecting {
		return nil, 0
	}
	c.startWriteLocked()
	if _, blind := c.link.(*transport.Stream); blind {
		c.out.inHand, c.out.stalled = c.out.gathered(), c.cfg.Loop.Now()
	}
	return &c.out.op, c.writes
}

func (c *Conn) startWriteLocked() {
	c.output = outWriting
	c.writes++
	c.out.gather()
}

// wrote ends a write, unless the transport goes on with it, and reports whether there
// is more to write.
func (c *Conn) wrote(turn uint32, n int, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != transport.ErrAgain {
		return c.tookLocked(n, err)
	}
	if c.output == outWriting && c.writes == turn { // it may have ended already
		c.output = outBlocked
		c.backlog = c.backlog || c.out.inHand == 0 // else see Progress
		c.out.stalled = c.cfg.Loop.Now()
		c.watchWriteLocked()
	}
	return false
}

// wroteLent is wrote for a message that was lent.
func (c *Conn) wroteLent(n int, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.settle(n)
	if err == transport.ErrAgain {
		err = nil
	}
	return c.tookLocked(n, err)
}

// Waiting is the write that the transport goes on with.
func (c *Conn) Waiting() *transport.Op { return &c.out.op }

// watchWriteLocked has the wheel look at the write that waits.
func (c *Conn) watchWriteLocked() {
	if c.output != outBlocked {
		return
	}
	if d := c.writeLimitLocked(); d > 0 {
		c.cfg.Wheel.Schedule(c, c.out.stalled+int64(d))
	}
}

// atOnce is how long a write may take that the peer takes at once: a transport that
// blocks in Write cannot tell in another way.
const atOnce = int64(2 * time.Millisecond)

// Progress is called by the transport when bytes of a waiting write have left.
func (c *Conn) Progress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return // the write has ended meanwhile
	}
	now := c.cfg.Loop.Now()
	c.backlog = c.backlog || now-c.out.stalled > atOnce
	c.out.stalled = now
}

// Written is called by the transport when a write that had to wait has ended.
func (c *Conn) Written(n int, err error) {
	c.mu.Lock()
	more := c.tookLocked(n, err)
	c.mu.Unlock()
	if more {
		c.Flush()
	}
}

// tookLocked accounts for n written bytes, and reports whether there is more to
// write. An error ends the connection.
func (c *Conn) tookLocked(n int, err error) (more bool) {
	c.output, c.out.inHand = outIdle, 0
	messages, frames := c.out.wrote(n)
	c.cfg.Counters.BytesSent.Add(int64(frames))
	c.cfg.Counters.Sent.Add(int64(messages))
	switch {
	case c.phase == Closed:
		c.releaseLocked()
	case err != nil:
		c.dropLocked(err)
	case len(c.out.pieces) == 0:
		c.releaseLocked()
		c.emptiedLocked()
	default:
		return true
	}
	return false
}

// WatchDrain tells that the owner wants Drained to be called.
func (c *Conn) WatchDrain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drains = true
}

func (c *Conn) releaseLocked() {
	c.out.release()
	c.out = nil
}

// emptiedLocked does what waited for the queue to be written.
func (c *Conn) emptiedLocked() {
	if c.backlog {
		c.backlog = false
		if c.drains {
			c.wakeLocked(workDrain)
		}
	}
	c.closeSentLocked()
}
