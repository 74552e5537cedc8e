package stall

import (
	"errors"
	"os"
	"time"
)

// reads is what a Conn knows of its reads. net/http sets several deadlines for each
// request and reads once or twice, so the connection below gets a deadline only for
// a read, and keeps one that comes too early: a read that it ends begins again.
type reads struct {
	want time.Time // the deadline that was asked for; zero: none
	set  time.Time // the deadline of the connection below
	over bool      // set has passed
	busy int       // reads that may be waiting
}

// Read reads from the connection below.
func (c *Conn) Read(p []byte) (int, error) {
	if !c.beginRead() {
		return 0, os.ErrDeadlineExceeded
	}
	for {
		n, err := c.Conn.Read(p)
		if !c.readAgain(n, err) {
			return n, err
		}
	}
}

// longAgo is after every deadline that is only to end a read.
const longAgo = 1e6 // seconds since 1970

// beginRead reports whether there is time to read.
func (c *Conn) beginRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w := c.read.want; !w.IsZero() && w.Unix() < longAgo {
		return false
	}
	c.read.busy++
	c.armReadLocked()
	return true
}

// readAgain ends a read, or has it begin again after a deadline that nobody wants.
func (c *Conn) readAgain(n int, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := &c.read
	if err != nil && n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && !c.freed {
		r.over = true
		if r.want.IsZero() || time.Now().Before(r.want) {
			c.armReadLocked()
			return true
		}
	}
	r.busy--
	return false
}

// armReadLocked gives the connection below a deadline that is not after the one wanted.
func (c *Conn) armReadLocked() {
	r := &c.read
	switch {
	case c.freed:
		return
	case r.over:
	case r.set.IsZero():
		if r.want.IsZero() {
			return
		}
	case r.want.IsZero(), !r.set.After(r.want):
		return
	}
	r.set, r.over = r.want, false
	c.Conn.SetReadDeadline(r.want)
}

// SetReadDeadline sets the deadline of reads, those that are waiting too.
func (c *Conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.freed {
		return c.Conn.SetReadDeadline(t)
	}
	c.read.want = t
	if c.read.busy > 0 {
		c.armReadLocked()
	}
	return nil
}
