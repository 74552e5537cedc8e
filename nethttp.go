package nextrush

import (
	"maps"
	"net/http"
	"sync"

	"github.com/nextrush/nextrush/internal/record"
)

// WrapHandler makes a Handler of one for net/http. Path parameters are in
// Request.PathValue.
func WrapHandler(h http.Handler) Handler {
	return func(c *Context) error {
		c.setPathValues()
		h.ServeHTTP(c.w, c.Request())
		return nil
	}
}

func (c *Context) setPathValues() {
	for i, name := range c.paramNames() {
		c.req.SetPathValue(name, c.params.At(i))
	}
}

// WrapMiddleware makes a Handler of middleware for net/http. The handlers after it get
// the request and the writer that it passes on. Their error is answered before the
// middleware sees the end of the request, which has no other way to learn the status.
//
// The handlers after it have a Context of their own. If the middleware no longer waits
// for them, as http.TimeoutHandler does, they cannot reach the response and the values
// of the handlers before. They have the values that were Set before; those that they
// Set are there for the handlers before if they return before the middleware does.
//
// A panic of theirs passes through the middleware and reaches the handlers before as a
// *PanicError with the stack of where it began; one that gets no further is logged.
func WrapMiddleware(mw func(http.Handler) http.Handler) Handler {
	return func(c *Context) (err error) {
		c.needExtras().id = c.ID() // of the header, which the middleware may keep to itself
		t := &tail{from: c.fork(c.w, c.Request())}
		defer func() { err = t.leave(c, recover()) }()
		mw(t).ServeHTTP(c.w, c.Request())
		return nil
	}
}

// fork returns a Context that has what c has, except for the request and the writer,
// and shares nothing with it that either changes.
func (c *Context) fork(w http.ResponseWriter, r *http.Request) *Context {
	e := *c.needExtras()
	e.values, e.query = maps.Clone(e.values), nil
	d := &Context{app: c.app, req: r, endpoint: c.endpoint, params: c.params, code: c.code, next: c.next, replaced: c.replaced || r != c.req, extras: &e}
	d.out = record.Writer{ResponseWriter: w}
	d.w = &d.out
	return d
}

// tail is the rest of the chain after middleware of net/http, which may run it in any
// goroutine, more than once, and after it has returned itself.
type tail struct {
	from *Context // what the handlers begin with; it does not change

	mu   sync.Mutex // guards what follows
	left bool       // the middleware has returned
	last run        // of the handlers, that ended before
}

// run is how the handlers ended.
type run struct {
	c        *Context // theirs; nil: they have not
	err      error
	panicked *PanicError
	aborted  bool // by http.ErrAbortHandler
}

func (t *tail) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := t.from.fork(w, r)
	var err error
	defer func() {
		v := recover()
		r := run{c: c, err: err, aborted: v == http.ErrAbortHandler}
		if v != nil && !r.aborted {
			r.panicked = asPanicError(v)
		}
		if t.ended(r) && v != nil {
			panic(v)
		}
	}()
	if err = c.Next(); err != nil {
		c.HandleError(err)
	}
}

// ended notes a run. It reports false if the middleware has returned: nobody
// waits for it then.
func (t *tail) ended(r run) bool {
	t.mu.Lock()
	before, left := t.last, t.left
	if !left {
		t.last = r
	}
	t.mu.Unlock()
	if left {
		before = r
		if r.panicked != nil {
			r.c.logFailure(r.panicked, false)
		}
	}
	if before.c != nil {
		before.c.extras.body.RemoveFiles(&t.from.extras.body) // nobody else knows them
	}
	return !left
}

// Abandon is for middleware that no longer waits: what the handlers do from now on does
// not reach the Context before them. It reports false if they have ended.
func (t *tail) Abandon() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.left = t.left || t.last.c == nil
	return t.left
}

// leave gives c, the Context before the middleware, what is known of the handlers
// now that the middleware has returned, or has panicked with v.
func (t *tail) leave(c *Context, v any) error {
	t.mu.Lock()
	t.left = true
	t.mu.Unlock()
	c.next = int32(len(c.endpoint.Handlers))
	last := &t.last
	if last.c != nil {
		c.adopt(last.c)
	}
	if last.panicked != nil {
		if v != nil && v != http.ErrAbortHandler {
			panic(last.panicked)
		}
		c.logFailure(last.panicked, false)
	}
	switch {
	case v == nil:
	case v == http.ErrAbortHandler && last.aborted && last.err != nil:
		c.failed, c.logged = false, true // it was cut off there; here the answer may not have begun
	default:
		panic(v)
	}
	return last.err
}

// adopt takes over from d, which was forked from c, all but what belongs to its
// request and writer.
func (c *Context) adopt(d *Context) {
	c.code, c.failed = d.code, d.failed
	if d.out.Hijacked {
		c.w.Hijacked, c.w.Status = true, d.out.Status
	}
	e, from := c.needExtras(), d.extras
	e.values = from.values
	e.body.Adopt(&from.body)
}
