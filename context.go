package nextrush

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"net/http"
	"net/url"
	"slices"

	"github.com/nextrush/nextrush/internal/body"
	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/record"
	"github.com/nextrush/nextrush/internal/route"
	"github.com/nextrush/nextrush/internal/urlpath"
	"github.com/nextrush/nextrush/websocket"
)

// Handler answers a request, or, as middleware, does its part and calls [Context.Next].
// Options.ErrorHandler answers the error that it returns, once all middleware has seen it.
type Handler func(c *Context) error

// WSHandler serves a socket after the 101, in a goroutine of its own. An error
// closes the socket with 1011, a *websocket.CloseError with its own code, an
// *HTTPError below 500 with 4000 and its status and its message as the reason;
// nil leaves it open.
type WSHandler func(s *websocket.Socket, c *Context) error

// WSMiddleware runs before the 101, on the way to a WSHandler. An error, or not
// calling next, refuses the upgrade: with the status of an *HTTPError, 500 for
// another error, 403 for none.
type WSMiddleware func(s *websocket.Socket, c *Context, next func() error) error

// Context is one request and its response. It is never recycled, so it may be
// kept after the handler has returned. Its methods are for one goroutine at a
// time, that of the request.
type Context struct {
	app      *App
	req      *http.Request  // without its header as long as there are fields
	fields   *h1.Fields     // what the header is made of when it is asked for; nil: it has been
	w        *record.Writer // out, or one of a writer that middleware has put around it
	out      record.Writer  // of the server's writer
	params   route.Params   // by position; the names are the route's
	endpoint *endpoint      // what is to run; nil before the route table has said
	code     int32          // for the next write; 0: 200
	next     int32          // handler to run next
	replaced bool           // middleware has replaced the request
	failed   bool           // an error has been answered
	logged   bool           // the error that comes next has been logged
	extras   *extras        // nil until asked for
	ends     ends           // with the request

	contentType [1]string // the header, if the handler has set none
}

// extras are what only some requests need.
type extras struct {
	values map[string]any
	query  url.Values
	id     string
	body   body.Body

	scope *route.Scope // the parameters of the middleware that runs; nil: those of the route
	probe *Operation   // to be filled: there is no request
}

// endpoint is a route, or none, with all that runs for it.
type endpoint struct {
	route *Route
	route.Chain[Handler]
}

// on returns the endpoint with the guards that are for the path among its handlers.
func (e *endpoint) on(path urlpath.Path) *endpoint {
	if handlers, ok := e.On(path, scoped); ok {
		return newEndpoint(e.route, handlers)
	}
	return e
}

func newEndpoint(rt *Route, handlers []Handler) *endpoint {
	return &endpoint{rt, route.Chain[Handler]{Handlers: handlers}}
}

// scoped puts handlers between two that set the scope for them alone.
func scoped(s *route.Scope, handlers []Handler) []Handler {
	var outer *route.Scope
	in := func(c *Context) error {
		outer = c.needExtras().scope
		return c.within(s)
	}
	out := func(c *Context) error { return c.within(outer) }
	return slices.Concat([]Handler{in}, handlers, []Handler{out})
}

// within runs the rest of the chain with another scope.
func (c *Context) within(s *route.Scope) error {
	before := c.extras.scope
	c.extras.scope = s
	defer func() { c.extras.scope = before }()
	return c.Next()
}

// needExtras returns the extras, and makes them first if there are none.
func (c *Context) needExtras() *extras {
	if c.extras == nil {
		c.extras = &extras{body: body.Body{Max: c.app.opts.BodyLimit}}
	}
	return c.extras
}

// Next runs the rest of the chain and returns its error. After the last handler
// it does nothing.
func (c *Context) Next() error {
	handlers := c.endpoint.Handlers
	if int(c.next) >= len(handlers) {
		return nil
	}
	h := handlers[c.next]
	c.next++
	return h(c)
}

// Run is Next with the handlers put before the rest of the chain.
func (c *Context) Run(handlers ...Handler) error {
	rest := c.endpoint.Handlers[c.next:]
	c.endpoint = newEndpoint(c.endpoint.route, slices.Concat(handlers, rest))
	c.next = 0
	return c.Next()
}

// App returns the app that serves the request.
func (c *Context) App() *App { return c.app }

// Request returns the request as the server made it, or as middleware replaced it.
func (c *Context) Request() *http.Request {
	if f := c.fields; f != nil {
		c.req.Header, c.fields = f.Header(), nil
	}
	return c.req
}

// SetRequest replaces the request for the handlers that follow.
func (c *Context) SetRequest(r *http.Request) { c.req, c.fields, c.replaced = r, nil, true }

// Writer returns the response writer. http.NewResponseController finds Flush,
// Hijack and deadlines through it.
func (c *Context) Writer() http.ResponseWriter { return c.w }

// SetWriter replaces the writer for the handlers that follow. The new one should have an
// Unwrap method that returns the one before. Context.Writer then returns a writer around
// the new one, which counts for StatusCode and BytesWritten; setting the one before
// brings back its own counts.
func (c *Context) SetWriter(w http.ResponseWriter) {
	noted, ok := w.(*record.Writer)
	if !ok {
		noted = &record.Writer{ResponseWriter: w}
	}
	c.w = noted
}

// Context is the request's, or, in a WebSocket handler, the socket's.
func (c *Context) Context() context.Context { return c.req.Context() }

// SetContext replaces the request's context for the handlers that follow.
func (c *Context) SetContext(ctx context.Context) { c.SetRequest(c.Request().WithContext(ctx)) }

// Route returns the pattern of the route that matched, as "/users/:id", or ""
// if none did. It suits the labels of metrics, unlike the path of a request.
func (c *Context) Route() string {
	if rt := c.matched(); rt != nil && rt.method != route.NotFound {
		return rt.Path()
	}
	return ""
}

func (c *Context) matched() *Route {
	if c.endpoint == nil {
		return nil
	}
	return c.endpoint.route
}

func (c *Context) paramNames() []string {
	if rt := c.matched(); rt != nil {
		return rt.pattern.Names
	}
	return nil
}

// Set keeps a value for the handlers that follow.
func (c *Context) Set(key string, value any) {
	e := c.needExtras()
	if e.values == nil {
		e.values = make(map[string]any)
	}
	e.values[key] = value
}

// Get returns the value that Set kept, or nil.
func (c *Context) Get(key string) any {
	if c.extras == nil {
		return nil
	}
	return c.extras.values[key]
}

// Value returns the value that Set kept under key; ok is false if there is
// none or it has another type.
func Value[T any](c *Context, key string) (v T, ok bool) {
	v, ok = c.Get(key).(T)
	return v, ok
}

// ID identifies the request: the X-Request-Id of the response if middleware
// has set one, 128 random bits in base64url otherwise.
func (c *Context) ID() string {
	if id := c.w.Header().Get("X-Request-Id"); id != "" {
		return id
	}
	e := c.needExtras()
	if e.id == "" {
		var b [16]byte
		rand.Read(b[:])
		e.id = base64.RawURLEncoding.EncodeToString(b[:])
	}
	return e.id
}

// Log returns the app's logger with the request's id, method and path.
func (c *Context) Log() *slog.Logger {
	return c.app.Log().With("id", c.ID(), "method", c.req.Method, "path", c.req.URL.Path)
}
