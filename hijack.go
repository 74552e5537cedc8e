package nextrush

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Hijack takes the connection from net/http, for a protocol that goes on when the
// handler has returned. Nothing has been written to it, and conn reads first what
// the client has sent already. The caller closes conn, and answers with the error,
// an *HTTPError, where there is one: over HTTP/2 it is always one.
//
// Shutdown waits for conn to be closed. It ends the context closing, for each of
// these connections at a moment of its own, so that their clients do not all come
// back at once. One that is still open when Shutdown's time is up is cut, and that
// is an error of Shutdown.
func (c *Context) Hijack() (conn net.Conn, closing context.Context, err error) {
	l := &c.app.life
	if c.req.ProtoMajor != 1 {
		return nil, nil, NewError(http.StatusBadRequest, "this needs HTTP/1.1")
	}
	if l.closing.Err() != nil {
		return nil, nil, errShuttingDown
	}
	raw, rw, err := http.NewResponseController(c.w).Hijack()
	if err != nil {
		return nil, nil, NewError(http.StatusInternalServerError, "the connection cannot be taken over").WithCause(err)
	}
	taken := &hijackedConn{Conn: raw, early: buffered(rw.Reader), all: &l.hijacked}
	closing, taken.leave = context.WithCancel(context.Background())
	if !l.hijacked.add(taken) {
		raw.Close()
		return nil, nil, errShuttingDown
	}
	return taken, closing, nil
}

var errShuttingDown = NewError(http.StatusServiceUnavailable, "the server is shutting down")

// buffered is what r has read and nobody has taken.
func buffered(r *bufio.Reader) []byte {
	b := make([]byte, r.Buffered())
	r.Read(b)
	return b
}

// hijackedConn is a connection that Shutdown waits for.
type hijackedConn struct {
	net.Conn
	early []byte // to be read first
	leave context.CancelFunc
	all   *hijacked
}

func (c *hijackedConn) Read(b []byte) (int, error) {
	if len(c.early) > 0 {
		n := copy(b, c.early)
		c.early = c.early[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// CloseWrite ends what the client reads.
func (c *hijackedConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

func (c *hijackedConn) Close() error {
	err := c.Conn.Close()
	c.leave()
	c.all.remove(c)
	return err
}

// hijacked are the connections that handlers have taken over and not closed:
// net/http neither waits for them nor closes them.
type hijacked struct {
	mu      sync.Mutex // guards what follows
	open    map[*hijackedConn]bool
	drained chan struct{} // closed when none is open; nil before Shutdown, which takes no more
}

func (h *hijacked) add(c *hijackedConn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drained != nil {
		return false
	}
	if h.open == nil {
		h.open = make(map[*hijackedConn]bool)
	}
	h.open[c] = true
	return true
}

func (h *hijacked) remove(c *hijackedConn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[c] {
		delete(h.open, c)
		h.checkDrainedLocked()
	}
}

func (h *hijacked) checkDrainedLocked() {
	if h.drained != nil && len(h.open) == 0 {
		close(h.drained)
	}
}

// list returns those that are open, in any order, and what is closed when none is
// left. From the first call on no more are taken.
func (h *hijacked) list() (open []*hijackedConn, drained chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drained == nil {
		h.drained = make(chan struct{})
		h.checkDrainedLocked()
	}
	for c := range h.open {
		open = append(open, c)
	}
	return open, h.drained
}

// shutdown has the connections end, and cuts those that have not when ctx ends.
func (h *hijacked) shutdown(ctx context.Context) error {
	open, drained := h.list()
	leaveSpread(ctx, open)
	select {
	case <-drained:
		return nil
	case <-ctx.Done():
	}
	left, _ := h.list()
	for _, c := range left {
		c.Close()
	}
	if len(left) == 0 {
		return nil
	}
	return fmt.Errorf("nextrush: shutdown: %d hijacked connections were cut: %w", len(left), ctx.Err())
}

const (
	leaveEvery  = 10 * time.Millisecond // at most, between two
	leaveWithin = 10 * time.Second      // at most, all of them
)

// leaveSpread tells the connections one after the other, within half the time that
// there is.
func leaveSpread(ctx context.Context, open []*hijackedConn) {
	n := time.Duration(len(open))
	window := min(n*leaveEvery, leaveWithin)
	if deadline, ok := ctx.Deadline(); ok {
		window = min(window, time.Until(deadline)/2)
	}
	for _, c := range open {
		if pause := window / n; pause > 0 {
			select {
			case <-time.After(rand.N(pause)):
			case <-ctx.Done():
			}
		}
		c.leave()
	}
}
