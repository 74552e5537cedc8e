package nextrush

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

// stallRate is how many bytes give a client back a second of what it has kept an
// answer waiting for.
const stallRate = 128

// earned returns what is left of a limit after a wait in which n bytes went.
func earned(limit, left, waited time.Duration, n int64) time.Duration {
	back := time.Duration(min(n, int64(limit/time.Second+1)*stallRate)) * time.Second / stallRate
	return min(limit, left-waited+back)
}

// paceListener has the app's connections keep Options.StallTimeout.
func (a *App) paceListener(ln net.Listener) net.Listener {
	if a.opts.StallTimeout < 0 {
		return ln
	}
	return &pacedListener{ln, a.opts.StallTimeout}
}

type pacedListener struct {
	net.Listener
	limit time.Duration
}

func (l *pacedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &pacedConn{Conn: conn, limit: l.limit, left: l.limit}, nil
}

// pacedConn is a connection whose writes fail with os.ErrDeadlineExceeded when the peer
// has taken too little of them for too long. Time between writes does not count. A
// write deadline that somebody sets takes the place of the limit until it is taken
// back, and SetDeadline, which is how net/http gives a hijacked connection away,
// for good. Its methods are safe from any goroutine.
type pacedConn struct {
	net.Conn
	limit time.Duration

	mu    sync.Mutex // guards what follows
	left  time.Duration
	until time.Time // the deadline that is set for a look at the progress
	their bool      // somebody has set a deadline
	freed bool
}

// Hijacked tells package websocket with which connection to go on after the upgrade.
func (c *pacedConn) Hijacked() net.Conn { return c.Conn }

func (c *pacedConn) Write(p []byte) (n int, err error) {
	for {
		begin := c.arm()
		m, err := c.Conn.Write(p[n:])
		n += m
		if !c.again(begin, int64(m), err) {
			return n, err
		}
	}
}

// ReadFrom sends a regular file by the system's sendfile where the connection below
// does so.
func (c *pacedConn) ReadFrom(r io.Reader) (n int64, err error) {
	below, ok := c.Conn.(io.ReaderFrom)
	file := regular(r)
	if !ok || file == nil {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	for {
		from, err := file.Seek(0, io.SeekCurrent)
		if err != nil {
			return n, err
		}
		begin := c.arm()
		m, err := below.ReadFrom(r)
		n += m
		if !c.again(begin, m, err) {
			return n, err
		}
		// What was read and not written is lost where it was not sendfile.
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
func (c *pacedConn) arm() time.Time {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.their || c.freed {
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
func (c *pacedConn) again(begin time.Time, n int64, err error) bool {
	waited := time.Since(begin)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.left = earned(c.limit, c.left, waited, n)
	return errors.Is(err, os.ErrDeadlineExceeded) && c.left > 0 && !c.their && !c.freed
}

// SetWriteDeadline replaces the limit by a deadline, and the zero time brings the
// limit back.
func (c *pacedConn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.freed:
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
func (c *pacedConn) SetDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.freed = true
	return c.Conn.SetDeadline(t)
}

// CloseWrite sends the end of the stream where the connection below can.
func (c *pacedConn) CloseWrite() error {
	if below, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return below.CloseWrite()
	}
	return errors.ErrUnsupported
}
