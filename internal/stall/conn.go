package stall

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"sync"
	"syscall"
	"time"
)

// Conn is a connection whose writes fail with os.ErrDeadlineExceeded when the peer
// has taken too little of them for too long. Time between writes does not count. A
// write deadline that somebody sets takes the place of the limit until it is taken
// back, and SetDeadline, which is how net/http gives a hijacked connection away,
// for good. Its methods are safe from any goroutine.
type Conn struct {
	net.Conn
	limit time.Duration

	mu      sync.Mutex // guards what follows
	left    time.Duration
	until   time.Time // the deadline that is set for a look at the progress
	their   bool      // somebody has set a deadline
	freed   bool
	writing int // writes that may be waiting
	once    attempt
	read    reads
}

// Hijacked tells package websocket with which connection to go on after the upgrade.
func (c *Conn) Hijacked() net.Conn { return c.Conn }

// Write tries without a deadline first, for most writes end at once.
func (c *Conn) Write(p []byte) (n int, err error) {
	n = c.try(p)
	if n == len(p) && n > 0 {
		return n, nil
	}
	defer c.begin()()
	for {
		began := c.arm()
		m, err := c.Conn.Write(p[n:])
		n += m
		if !c.again(began, int64(m), err) {
			return n, err
		}
	}
}

// try writes what leaves at once, if no other write may be waiting.
func (c *Conn) try(p []byte) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writing > 0 || !c.limitedLocked() {
		return 0
	}
	n := c.once.write(c.Conn, p)
	c.left = Earned(c.limit, c.left, 0, int64(n))
	return n
}

// begin notes a write that may wait, until its result is called.
func (c *Conn) begin() (end func()) {
	c.count(1)
	return func() { c.count(-1) }
}

func (c *Conn) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing += n
}

// limitedLocked reports whether the limit counts.
func (c *Conn) limitedLocked() bool { return c.limit >= 0 && !c.their && !c.freed }

// ReadFrom sends a regular file by the system's sendfile if the connection below
// does so.
func (c *Conn) ReadFrom(r io.Reader) (n int64, err error) {
	below, ok := c.Conn.(io.ReaderFrom)
	file := regular(r)
	if !ok || file == nil {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	defer c.begin()()
	for {
		from, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return n, err
		}
		began := c.arm()
		m, err := below.ReadFrom(r)
		n += m
		if !c.again(began, m, err) {
			return n, err
		}
		// What was read and not written is lost if it was not sendfile.
		if at, seekErr := file.Seek(0, io.SeekCurrent); seekErr != nil || at != from+m {
			return n, err
		}
	}
}

// regular returns the file that r reads, or nil.
func regular(r io.Reader) io.Seeker {
	if limited, ok := r.(*io.LimitedReader); ok {
		r = limited.R
	}
	file, ok := r.(interface {
		io.Seeker
		syscall.Conn
		Stat() (fs.FileInfo, error)
	})
	if !ok {
		return nil
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	return file
}

// arm sets the deadline for the next look at the progress, unless one as good is
// set, and returns the time. A write that has run into its deadline may still have
// had room for more: the system reports room only when there is plenty.
func (c *Conn) arm() time.Time {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.limitedLocked() {
		return now
	}
	look := max(min(c.left, c.limit/4), time.Millisecond)
	if wait := c.until.Sub(now); wait < look/2 || wait > look {
		c.until = now.Add(look)
		c.Conn.SetWriteDeadline(c.until)
	}
	return now
}

// again takes into account that n bytes went since begin, and reports whether to
// go on after err.
func (c *Conn) again(began time.Time, n int64, err error) bool {
	waited := time.Since(began)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = Earned(c.limit, c.left, waited, n)
	return errors.Is(err, os.ErrDeadlineExceeded) && c.left > 0 && c.limitedLocked()
}

// SetWriteDeadline replaces the limit by a deadline, and the zero time brings the
// limit back.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.freed, c.limit < 0:
		return c.Conn.SetWriteDeadline(t)
	case !t.IsZero():
		c.their = true
	case c.their:
		c.their = false
		t = time.Now().Add(c.limit / 4) // a write may be waiting
	default:
		return nil // net/http takes it back after each request
	}
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// SetDeadline ends the limit.
func (c *Conn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed = true
	c.read = reads{busy: c.read.busy}
	return c.Conn.SetDeadline(t)
}

// CloseWrite sends the end of the stream if the connection below can.
func (c *Conn) CloseWrite() error {
	if below, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return below.CloseWrite()
	}
	return errors.ErrUnsupported
}
