package httploop

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/pace"
)

// exchange is a request and its answer: all that a connection needs for them, in one
// allocation. It is an http.ResponseWriter. Nothing of it is used for another request, so
// handlers may keep what they have got.
type exchange struct {
	conn   *conn
	url    url.URL
	fields h1.Fields // of the request
	req    http.Request
	ctx    requestContext
	body   *requestBody
	job    Job
	pace   *pace.Pace

	worker atomic.Pointer[loop.Worker] // that runs the handler; nil: it has returned

	mu sync.Mutex // guards what follows
	response

	// Guarded by the connection's mu:
	readBy  int64 // the deadline of the body, on the loop's clock; 0: none
	notify  chan bool
	watched bool // the client's end is to be told: it has sent the request, and no more
	left    bool // the client has gone
	deaf    bool // nobody may wait for the body any more
}

// begin makes the request that the head is, and finds out who answers it. It reports false
// if the connection has been closed.
func (x *exchange) begin(c *conn, head *h1.Head) bool {
	x.conn = c
	x.ctx.init(c)
	x.req = *(&http.Request{}).WithContext(&x.ctx)
	head.Request(&x.req, &x.url)
	x.req.RemoteAddr = c.remote
	x.req.Body = x.newBody(head)
	x.asked = head.Asked()
	x.length = -1
	c.posted = x.req.Method == http.MethodPost
	x.fields = head.Fields()
	x.job = c.srv.config.Handler.Prepare(x, &x.req, &x.fields)
	x.pace = x.job.Pace()
	return x.startOn(c)
}

// startOn makes x the connection's, unless that has been closed.
func (x *exchange) startOn(c *conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == closed {
		return false
	}
	c.phase, c.due, c.until, c.served, c.x = answering, 0, 0, true, x
	if x.body == nil {
		x.watchLocked()
	}
	return true
}

// watchLocked has the end of the client end the context. What it has sent for a later
// request hides its end, as in net/http.
func (x *exchange) watchLocked() {
	c := x.conn
	if x.watched = len(c.in) == 0; x.watched && c.ended && c.desc.Ended() {
		x.leftLocked()
	}
}

// leftLocked tells the handler that the client has gone.
func (x *exchange) leftLocked() {
	x.ctx.end(context.Canceled)
	if !x.left {
		x.left = true
		if x.notify != nil {
			x.notify <- true
		}
	}
}

// mayRunInline reports whether the handler may run where polling is done: it has shown to
// be quick, and does not have to wait for a body.
func (x *exchange) mayRunInline() bool { return x.pace.Inline() && x.body.isHere() }

// serve runs the handler and ends the answer. It reports whether the connection goes on.
func (x *exchange) serve(w *loop.Worker) (goes bool) {
	x.worker.Store(w)
	returned := false
	defer func() {
		if !returned {
			goes = x.panicked(recover())
		}
	}()
	x.job.Serve()
	goes = x.finish()
	returned = true
	return goes
}

// leave has another goroutine poll, for the handler is going to wait.
func (x *exchange) leave() {
	if w := x.worker.Load(); w != nil {
		w.Leave()
	}
	x.conn.release()
}

// panicked ends the connection of a handler that has panicked, or has ended its goroutine.
func (x *exchange) panicked(v any) (goes bool) {
	x.worker.Store(nil)
	if v != nil && v != http.ErrAbortHandler {
		buf := make([]byte, 64<<10)
		buf = buf[:runtime.Stack(buf, false)]
		x.conn.srv.logf("http: panic serving %v: %v\n%s", x.conn.remote, v, buf)
	}
	x.mu.Lock()
	x.over = true
	x.releaseBuffers()
	hijacked := x.hijacked
	x.unlock()
	x.body.end(true)
	x.ctx.end(context.Canceled)
	return !hijacked && x.conn.abort()
}

// abort ends the connection when what has been written has left. It reports whether the
// connection goes on till then.
func (c *conn) abort() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.x, c.out.by = nil, 0
	if c.flushLocked(); c.out.waits {
		c.lookLocked() // the handler's deadline is no longer in the way
		c.endLocked(true)
		return c.phase != closed
	}
	c.closeLocked(net.ErrClosed)
	return false
}

// finish ends the answer when the handler has returned.
func (x *exchange) finish() (goes bool) {
	x.worker.Store(nil)
	x.ctx.end(context.Canceled)
	x.mu.Lock()
	hijacked := x.hijacked
	if !hijacked {
		x.complete()
	}
	x.over = true
	x.releaseBuffers()
	closes := x.closes()
	x.unlock()
	if hijacked {
		return false
	}
	early := x.body.end(closes)
	if x.req.MultipartForm != nil {
		x.req.MultipartForm.RemoveAll()
	}
	return x.conn.answered(x, closes || early)
}

// answered is for the end of an answer. It reports whether the connection goes on, if
// only to linger.
func (c *conn) answered(x *exchange, closes bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.x, c.out.by = nil, 0
	if c.phase == closed {
		return false
	}
	if !c.out.held && !c.out.waits {
		c.flushLocked() // the next handler may take long
	}
	if c.full = c.out.waits; c.full {
		c.lookLocked() // the handler's deadline is no longer in the way
	}
	if closes || c.out.err != nil {
		c.endLocked(x.body.isUnread())
	}
	return c.phase != closed
}
