// Package hijack keeps the connections that handlers take from net/http, for their
// server to end.
package hijack

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/unread"
)

// Conns are the connections that handlers have taken over and not closed:
// net/http neither waits for them nor closes them.
type Conns struct {
	mu      sync.Mutex // guards what follows
	open    map[*taken]bool
	drained chan struct{} // closed when none is open; nil before Shutdown, which takes no more
}

// Add takes a connection from which early has been read already. The conn that it
// returns reads that first; the caller closes it. The context ends when the connection should. After
// Shutdown has begun, conn is nil.
func (h *Conns) Add(raw net.Conn, early []byte) (conn net.Conn, closing context.Context) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.drained != nil {
		return nil, nil
	}
	if h.open == nil {
		h.open = make(map[*taken]bool)
	}
	closing, leave := context.WithCancel(context.Background())
	c := &taken{Conn: unread.New(raw, early), leave: leave, all: h}
	h.open[c] = true
	return c, closing
}

func (h *Conns) remove(c *taken) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[c] {
		delete(h.open, c)
		h.checkDrainedLocked()
	}
}

func (h *Conns) checkDrainedLocked() {
	if h.drained != nil && len(h.open) == 0 {
		close(h.drained)
	}
}

// list returns those that are open, in any order, and what is closed when none is
// left. From the first call on no more are taken.
func (h *Conns) list() (open []*taken, drained chan struct{}) {
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

// Shutdown has the connections end, each at a moment of its own, and cuts those that
// have not when ctx ends.
func (h *Conns) Shutdown(ctx context.Context) error {
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
func leaveSpread(ctx context.Context, open []*taken) {
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

// taken is a connection that Shutdown waits for.
type taken struct {
	*unread.Conn
	leave context.CancelFunc
	all   *Conns
}

func (c *taken) Close() error {
	err := c.Conn.Close()
	c.leave()
	c.all.remove(c)
	return err
}
