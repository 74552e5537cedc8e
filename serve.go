package nextrush

import (
	"cmp"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/body"
	"github.com/nextrush/nextrush/internal/content"
	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/head"
	"github.com/nextrush/nextrush/internal/httploop"
	"github.com/nextrush/nextrush/internal/lifecycle"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/pre"
	"github.com/nextrush/nextrush/internal/server"
)

func (a *App) newServer() *server.Server {
	return server.New(server.Config{
		Handler:           a.serveHTTP,
		Prepare:           a.prepare,
		Loop:              a.opts.Server == ServerLoop || a.opts.Server == ServerAuto && server.Auto,
		Log:               a.Log,
		Running:           a.running,
		ReadHeaderTimeout: a.opts.ReadHeaderTimeout,
		StallTimeout:      a.opts.StallTimeout,
		IdleTimeout:       a.opts.IdleTimeout,
		ShutdownTimeout:   a.opts.ShutdownTimeout,
		MaxHeaderBytes:    a.opts.MaxHeaderBytes,
		H2C:               a.opts.H2C,
	})
}

// running tells how many requests run, by route.
func (a *App) running() string {
	counts := []server.Count{{N: a.unrouted.Load(), What: "no route"}}
	a.mu.Lock()
	for _, rt := range a.all {
		counts = append(counts, server.Count{N: rt.running.Load(), What: cmp.Or(rt.method, "ANY") + " " + rt.Path()})
	}
	a.mu.Unlock()
	return server.Names(counts)
}

func (a *App) newLife() *lifecycle.Life {
	return lifecycle.New(lifecycle.Config{
		Check:    a.idleGroup,
		Close:    a.server.Close,
		Drain:    a.drain,
		Panicked: a.hookPanicked,
	})
}

// ServeHTTP answers a request. It runs the middleware given to Pre, that given to Use,
// that of the groups and the route's handlers; without a route, that given to Pre and
// Use. A request with a body is copied for them: net/http looks at its own again when it
// sends the header, and would first read all of a body that is not its own.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.server.ServeHTTP(w, r) }

func (a *App) serveHTTP(w http.ResponseWriter, r *http.Request) { a.prepare(w, r, nil).Serve() }

// prepare finds out what answers a request. It runs no code of the program. fields are
// what the header of the request is made of; nil: it has one.
func (a *App) prepare(w http.ResponseWriter, r *http.Request, fields *h1.Fields) httploop.Job {
	if fields != nil && (a.front != nil || r.Method == http.MethodHead || !body.IsEmpty(r) || fields.Has("Range")) {
		r.Header, fields = fields.Header(), nil
	}
	var ends ends
	if !body.IsEmpty(r) {
		own := a.ownRequest(w, r)
		ends.body, r = own, &own.Request
	}
	if r.Method == http.MethodHead {
		ends.head, r = head.Answer(w, r)
		w = ends.head
	}
	if a.front != nil {
		return &fronted{a, w, r, ends}
	}
	c := a.begin(w, r, fields)
	c.ends = ends
	return (*prepared)(c)
}

// ends is what has to end with a request.
type ends struct {
	body *ownRequest  // nil: there is none
	head *head.Writer // nil: it is no HEAD
}

func (e *ends) end() {
	if e.head != nil {
		e.head.End()
	}
	if e.body != nil {
		e.body.end()
	}
}

// prepared is a request whose handlers are known and have not run.
type prepared Context

func (p *prepared) Pace() *pace.Pace {
	c := (*Context)(p)
	if rt := c.matched(); rt != nil {
		return rt.pace.of(rt.Path())
	}
	return c.app.pace.of("")
}

func (p *prepared) Serve() {
	c := (*Context)(p)
	defer c.ends.end()
	c.answer()
}

// fronted is a request that middleware given to Pre gets first.
type fronted struct {
	app  *App
	w    http.ResponseWriter
	r    *http.Request
	ends ends
}

func (f *fronted) Pace() *pace.Pace { return f.app.pace.of("") }

func (f *fronted) Serve() {
	defer f.ends.end()
	pre.Serve(f.app.front, f.w, f.r, func(w http.ResponseWriter, err error) {
		c := newContext(f.app, w, f.r)
		c.logged = true
		c.HandleError(err)
	})
}

// lazyPace is a pace that is made when a request asks for it.
type lazyPace struct{ p atomic.Pointer[pace.Pace] }

func (l *lazyPace) of(name string) *pace.Pace {
	if p := l.p.Load(); p != nil {
		return p
	}
	l.p.CompareAndSwap(nil, pace.New(name))
	return l.p.Load()
}

// Pre adds middleware that runs before a route is looked for, so that it may change the
// method or path of a request; when middleware given to Use runs, the route is decided.
// The first one added runs first. It runs for the app that serves, not for apps mounted
// in it, and before the body's limit applies.
func (a *App) Pre(middleware ...func(http.Handler) http.Handler) {
	if slices.ContainsFunc(middleware, func(m func(http.Handler) http.Handler) bool { return m == nil }) {
		panic("nextrush: Pre: a middleware is nil: give a function")
	}
	a.pre = append(a.pre, middleware...)
	a.front = pre.Chain(http.HandlerFunc(a.route), a.pre)
}

// route answers a request that all of Pre has let through.
func (a *App) route(w http.ResponseWriter, r *http.Request) { a.begin(w, r, nil).answer() }

// begin finds out which handlers are to run.
func (a *App) begin(w http.ResponseWriter, r *http.Request, fields *h1.Fields) *Context {
	t := a.table.Load()
	if t == nil {
		t = a.buildTable()
	}
	if fields == nil {
		r = content.DropRanges(r)
	}
	c := newContext(a, w, r)
	c.fields = fields
	c.limitBody()
	t.match(c)
	return c
}

// answer runs the handlers.
func (c *Context) answer() {
	ctx := c.req.Context()
	running := c.counter()
	running.Add(1)
	defer c.finish(running)
	if err := c.protect(); err != nil {
		c.HandleError(err)
	}
	if c.out.Status == 0 && ctx.Err() == nil {
		c.logUnanswered()
	}
}

func newContext(a *App, w http.ResponseWriter, r *http.Request) *Context {
	c := &Context{app: a, req: r}
	c.out.ResponseWriter, c.out.Last = w, true
	c.w = &c.out
	return c
}

// counter counts the requests that run for the same route.
func (c *Context) counter() *atomic.Int64 {
	if rt := c.matched(); rt != nil {
		return &rt.running
	}
	return &c.app.unrouted
}

// protect runs the chain and turns a panic into an error.
func (c *Context) protect() (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			c.cutOff()
		}
		err = asPanicError(v)
	}()
	err = c.Next()
	c.out.CleanHeader() // which net/http sends if nothing was written
	return err
}

// finish removes the files of forms. net/http does so for its own request only,
// and handlers have another.
func (c *Context) finish(running *atomic.Int64) {
	running.Add(-1)
	if c.extras != nil {
		c.extras.body.RemoveFiles(nil)
	}
	body.RemoveFiles(c.req)
}

// logUnanswered logs a request that no handler has answered. net/http answers it with an
// empty 200, whatever status was set.
func (c *Context) logUnanswered() {
	level := slog.LevelDebug
	if c.app.opts.Debug {
		level = slog.LevelWarn
	}
	if c.app.Log().Enabled(c.Context(), level) {
		c.Log().Log(c.Context(), level, "nobody has answered, so the client gets an empty 200: return c.NoContent(), c.Text or another answer",
			"route", c.Route())
	}
}
