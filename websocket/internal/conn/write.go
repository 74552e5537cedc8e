package conn

import "github.com/nextrush/nextrush/internal/transport"

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
	c.out.dirty = false
	if c.phase == Connecting || !c.out.idle() {
		return nil, 0
	}
	c.out.start()
	if _, blind := c.link.(*transport.Stream); blind {
		c.out.box.inHand, c.out.box.stalled = c.out.box.gathered(), c.cfg.Loop.Now()
	}
	return &c.out.box.op, c.out.turn
}

// wrote ends a write, unless the transport goes on with it, and reports whether there
// is more to write.
func (c *Conn) wrote(turn uint32, n int, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != transport.ErrAgain {
		return c.tookLocked(n, err)
	}
	if c.out.block(turn, c.cfg.Loop.Now()) {
		c.watchWriteLocked()
	}
	return false
}

// wroteLent is wrote for a message that was lent.
func (c *Conn) wroteLent(n int, err error) (more bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.box.settle(n)
	if err == transport.ErrAgain {
		err = nil
	}
	return c.tookLocked(n, err)
}

// Waiting is the write that the transport goes on with.
func (c *Conn) Waiting() *transport.Op { return &c.out.box.op }

// watchWriteLocked has the wheel look at the write that waits.
func (c *Conn) watchWriteLocked() {
	if c.out.state != outBlocked {
		return
	}
	if d := c.writeLimitLocked(); d > 0 {
		c.cfg.Wheel.Schedule(c, c.out.box.stalled+int64(d))
	}
}

// Progress is called by the transport when bytes of a waiting write have left.
func (c *Conn) Progress() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out.progress(c.cfg.Loop.Now())
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
	messages, frames := c.out.took(n)
	c.cfg.Counters.BytesSent.Add(int64(frames))
	c.cfg.Counters.Sent.Add(int64(messages))
	switch {
	case c.phase == Closed:
		c.out.release()
	case err != nil:
		c.dropLocked(err)
	case len(c.out.box.pieces) == 0:
		c.out.release()
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
	c.out.drains = true
}

// emptiedLocked does what waited for the queue to be written.
func (c *Conn) emptiedLocked() {
	if c.out.emptied() {
		c.wakeLocked(workDrain)
	}
	c.closeSentLocked()
}
