package httploop

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// requestContext is the context of a request. It ends when the client has gone, when the
// handler has returned, and when the server's ends, which EndRequests tells.
type requestContext struct {
	conn *conn

	mu     sync.Mutex // guards what follows
	err    error
	cause  error
	twin   context.Context // nil: nobody has asked for it
	cancel context.CancelCauseFunc
	given  bool        // EndRequests does not know of the request: its connection has been given away
	stop   func() bool // of followLocked
}

func (c *requestContext) init(conn *conn) { c.conn = conn }

func (c *requestContext) base() context.Context { return c.conn.srv.config.Base }

func (c *requestContext) Deadline() (time.Time, bool) { return time.Time{}, false }

func (c *requestContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.twinLocked().Done()
}

func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.errLocked()
}

func (c *requestContext) errLocked() error {
	if c.err == nil {
		if err := c.base().Err(); err != nil {
			c.endLocked(err, context.Cause(c.base()))
		}
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
	if v != any(c.base()) {
		return v
	}
	c.mu.Lock() // package context asks for its own kind
	defer c.mu.Unlock()
	return c.twinLocked().Value(key)
}

// twinLocked is a context of package context that ends with this one, and that is made
// when somebody waits or derives another: of no other kind package context can derive
// without a goroutine.
func (c *requestContext) twinLocked() context.Context {
	if c.twin != nil {
		return c.twin
	}
	c.twin, c.cancel = context.WithCancelCause(context.Background())
	if c.errLocked() != nil {
		c.cancel(c.cause)
	} else if c.given {
		c.followLocked()
	}
	return c.twin
}

// giveAway has the context end with base although EndRequests does not know of it any more.
func (c *requestContext) giveAway() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.given = true; c.twin != nil && c.err == nil {
		c.followLocked()
	}
}

// followLocked has who waits told of the end of base.
func (c *requestContext) followLocked() {
	c.stop = context.AfterFunc(c.base(), func() { c.Err() })
}

// end ends the context.
func (c *requestContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.errLocked() == nil {
		c.endLocked(err, err)
	}
}

func (c *requestContext) endLocked(err, cause error) {
	c.err, c.cause = err, cause
	if c.twin != nil {
		c.cancel(cause)
	}
	if c.stop != nil {
		c.stop()
	}
}
