package httploop

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// requestContext is the context of a request. It ends when the client has gone, when the
// handler has returned, and when the server's ends, which EndRequests tells. It makes a
// channel only if it is asked for one.
type requestContext struct {
	conn *conn

	mu    sync.Mutex // guards what follows
	done  chan struct{}
	err   error
	based bool // because base has ended
	after map[*func()]bool
	stop  func() bool // of follow
}

func (c *requestContext) init(conn *conn) { c.conn = conn }

func (c *requestContext) base() context.Context { return c.conn.srv.config.Base }

func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.errLocked() != nil {
			close(c.done)
		}
	}
	return c.done
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errLocked()
}

func (c *requestContext) errLocked() error {
	if c.err == nil {
		c.err = c.base().Err()
		c.based = c.err != nil
	}
	return c.err
}

func (c *requestContext) Value(key any) any {
	switch key {
	case http.ServerContextKey:
		return c.conn.srv.config.HTTP
	case http.LocalAddrContextKey:
		return c.conn.localAddr()
	}
	v := c.base().Value(key)
	if v == any(c.base()) && !c.endedWithBase() {
		return nil // package context asks for the cause
	}
	return v
}

func (c *requestContext) endedWithBase() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errLocked() != nil && c.based
}

// follow has the end of base told where EndRequests does not know of the request, as its
// connection has been given away.
func (c *requestContext) follow() {
	stop := context.AfterFunc(c.base(), func() { c.end(context.Canceled) })
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop = stop
}

// AfterFunc calls f in a goroutine of its own when the context ends. Package context
// looks for it, and otherwise starts a goroutine for each context that is derived.
func (c *requestContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errLocked() != nil {
		go f()
		return func() bool { return false }
	}
	key := &f
	if c.after == nil {
		c.after = make(map[*func()]bool)
	}
	c.after[key] = true
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		waits := c.after[key]
		delete(c.after, key)
		return waits
	}
}

// end ends the context.
func (c *requestContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
	if c.err != nil && c.done == nil && len(c.after) == 0 {
		return
	}
	if c.errLocked() == nil {
		c.err = err
	}
	if c.done != nil {
		select {
		case <-c.done:
		default:
			close(c.done)
		}
	}
	for f := range c.after {
		go (*f)()
	}
	c.after = nil
}
