package nextrush

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"

	"github.com/julienschmidt/httprouter"
)

// Context is one request and its response. It is never recycled, so it may be
// kept after the handler has returned: a WebSocket handler does. Its methods
// are for one goroutine at a time, but Set, Get and what only reads the request
// are safe from any.
type Context struct {
	app      *App
	req      *http.Request
	w        http.ResponseWriter // rw, or what middleware put around it
	rw       response
	route    *Route
	params   httprouter.Params // by position; the names are the route's
	space    [2]httprouter.Param
	handlers []Handler
	next     int
	code     int // for the next write; 0: 200
	values   map[string]any
	query    url.Values
	body     *requestBody
	id       string
	target   string // where the redirect of the route table leads
	failed   bool   // an error has been answered

	mu sync.Mutex // guards values and query
}

// requestBody is what reading the body gave, kept for who asks again.
type requestBody struct {
	data []byte
	err  error
}

func newContext(a *App, w http.ResponseWriter, r *http.Request) *Context {
	c := &Context{app: a, req: r}
	c.rw.ResponseWriter, c.rw.c = w, c
	c.w = &c.rw
	return c
}

// Next runs the rest of the chain and returns its error. After the last handler
// it does nothing.
func (c *Context) Next() error {
	if c.next >= len(c.handlers) {
		return nil
	}
	h := c.handlers[c.next]
	c.next++
	return h(c)
}

// App returns the app that serves the request.
func (c *Context) App() *App { return c.app }

// Request returns the request as net/http made it, or as middleware replaced it.
func (c *Context) Request() *http.Request { return c.req }

// SetRequest replaces the request for the handlers that follow.
func (c *Context) SetRequest(r *http.Request) { c.req = r }

// Writer returns the response writer. http.NewResponseController finds Flush,
// Hijack and deadlines through it.
func (c *Context) Writer() http.ResponseWriter { return c.w }

// SetWriter replaces the writer for the handlers that follow. The new one should
// have an Unwrap method that returns the one before.
func (c *Context) SetWriter(w http.ResponseWriter) { c.w = w }

// Context is the request's, or, in a WebSocket handler, the socket's.
func (c *Context) Context() context.Context { return c.req.Context() }

// SetContext replaces the request's context for the handlers that follow.
func (c *Context) SetContext(ctx context.Context) { c.req = c.req.WithContext(ctx) }

// Route is the pattern of the route that matched, as "/users/:id"; empty where
// none did. It suits labels of metrics, where a path does not.
func (c *Context) Route() string {
	if c.route == nil {
		return ""
	}
	return c.route.Pattern
}

// Set keeps a value for the handlers that follow.
func (c *Context) Set(key string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = make(map[string]any)
	}
	c.values[key] = value
}

// Get returns the value that Set kept, or nil.
func (c *Context) Get(key string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.values[key]
}

// Value returns the value that Set kept under key; ok is false where there is
// none or it has another type.
func Value[T any](c *Context, key string) (v T, ok bool) {
	v, ok = c.Get(key).(T)
	return v, ok
}

// ID identifies the request: the X-Request-Id of the response where middleware
// has set one, 128 random bits in base64url otherwise.
func (c *Context) ID() string {
	if id := c.w.Header().Get("X-Request-Id"); id != "" {
		return id
	}
	if c.id == "" {
		var b [16]byte
		rand.Read(b[:])
		c.id = base64.RawURLEncoding.EncodeToString(b[:])
	}
	return c.id
}

// Log returns the app's logger with the request's id, method and path.
func (c *Context) Log() *slog.Logger {
	return c.app.opts.Logger.With("id", c.ID(), "method", c.req.Method, "path", c.req.URL.Path)
}

// response notes what goes through to the real writer.
type response struct {
	http.ResponseWriter
	c        *Context
	status   int
	size     int64
	hijacked bool // the connection has become a WebSocket
}

// Unwrap lets http.ResponseController find the writer's optional methods.
func (w *response) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *response) WriteHeader(code int) {
	if w.status == 0 && (code >= 200 || code == http.StatusSwitchingProtocols) {
		w.status = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *response) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(b)
	w.size += int64(n)
	return n, err
}

// WriteString is Write, without a copy where net/http offers that.
func (w *response) WriteString(s string) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := io.WriteString(w.ResponseWriter, s)
	w.size += int64(n)
	return n, err
}

// Flush sends what is buffered; it does nothing where the writer cannot.
func (w *response) Flush() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	http.NewResponseController(w.ResponseWriter).Flush()
}
