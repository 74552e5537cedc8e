package conn

import (
	"time"

	"github.com/nextrush/nextrush/internal/transport"
)

// Flush writes what is queued, unless somebody is writing. The transport waits for a
// peer that is slow, never Flush.
func (c *Conn) Flush() {
	for more := true; more; {
		link, op, turn := output{c}.startWrite()
		if op == nil {
			return
		}
		n, err := link.Write(op)
		more = output{c}.wrote(turn, n, err)
	}
}

// startWrite begins a write if there is one to make, and tells its number.
func (o output) startWrite() (link transport.Conn, op *transport.Op, turn uint32) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.c.out.dirty = false
	if o.c.phase == Connecting || !o.c.out.idle() {
		return nil, nil, 0
	}
	o.c.out.start()
	if _, blind := o.c.link.(*transport.Stream); blind {
		o.c.out.box.InHand, o.c.out.box.Stalled = o.c.out.box.Gathered(), o.c.cfg.Loop.Now()
	}
	return o.c.link, &o.c.out.box.Op, o.c.out.turn
}

// wrote ends a write, unless the transport goes on with it, and reports whether there
// is more to write.
func (o output) wrote(turn uint32, n int, err error) (more bool) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if err != transport.ErrAgain {
		return o.tookLocked(n, err)
	}
	if o.c.out.block(turn, o.c.cfg.Loop.Now()) {
		o.watchWriteLocked()
	}
	return false
}

// wroteLent is wrote for a message that was lent.
func (o output) wroteLent(n int, err error) (more bool) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	o.c.out.box.Settle(n)
	if err == transport.ErrAgain {
		err = nil
	}
	return o.tookLocked(n, err)
}

// watchWriteLocked has the wheel look at the write that waits.
func (o output) watchWriteLocked() {
	if o.c.out.state != outBlocked {
		return
	}
	if d := o.writeLimitLocked(); d > 0 {
		o.c.cfg.Wheel.Schedule(o.c, o.c.out.box.Stalled+int64(d))
	}
}

// tookLocked accounts for n written bytes, and reports whether there is more to
// write.
func (o output) tookLocked(n int, err error) (more bool) {
	if l := o.c.ledgerLocked(); l != nil {
		if l.wait != nil || err != nil && o.c.phase == Open && !o.c.sealedLocked() {
			o.interruptedLocked(l, n, err)
			return false
		}
		o.c.out.box.Keep(n, &l.sent)
		l.sent.Trim(o.c.cfg.ParkBytes)
	}
	messages, frames := o.c.out.took(n)
	o.c.cfg.Counters.BytesSent.Add(int64(frames))
	o.c.cfg.Messages.Sent.Add(int64(messages))
	if o.c.voice.On && messages > 0 {
		o.c.voice.Note(o.c.cfg.Loop.Now())
	}
	switch {
	case o.c.phase == Closed:
		o.c.discardLocked()
	case err != nil:
		o.c.brokenLocked(err)
	case o.c.out.box.Empty():
		o.c.out.release()
		o.emptiedLocked()
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
func (o output) emptiedLocked() {
	if o.c.out.emptied() {
		o.c.wakeLocked(workDrain)
	}
	o.c.closeSentLocked()
}

// writeDueLocked is when a peer that takes no bytes is given up.
func (o output) writeDueLocked() int64 {
	if o.c.out.state != outBlocked {
		return never
	}
	return o.c.out.due(o.writeLimitLocked())
}

// writeLimitLocked is how long a peer may take no bytes. If that is not limited, a
// close still is.
func (o output) writeLimitLocked() time.Duration {
	limit := o.c.cfg.WriteTimeout
	if o.c.out.box.Answer > 0 {
		limit = o.c.cfg.HandshakeTimeout
	}
	if limit < 0 && o.c.phase == Closing {
		return o.c.cfg.CloseTimeout
	}
	return limit
}
