package nextrush

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// Handler answers a request or passes it on with c.Next. An error it returns
// goes back through the handlers before it to the error handler.
type Handler func(c *Context) error

// Renderer renders a template for Context.Render.
type Renderer interface {
	Render(w io.Writer, name string, data any, c *Context) error
}

// Options configures an App. The zero value is safe and complete.
type Options struct {
	// TrustedProxies lists addresses and CIDR ranges whose X-Forwarded-*
	// headers are believed. Empty: nobody's.
	TrustedProxies []string
	BodyLimit      int64 // bytes of a request body, then 413; 0: 4 MiB, negative: no limit
	// Debug sends the causes of internal errors to clients. Never in production.
	Debug        bool
	ErrorHandler func(c *Context, err error) // nil: DefaultErrorHandler
	Logger       *slog.Logger                // nil: slog.Default()
	Renderer     Renderer                    // nil: Render is an error
	// DisableRedirects turns off the redirects to the path with or without its
	// trailing slash, and to the clean path.
	DisableRedirects bool
	H2C              bool // HTTP/2 without TLS, besides HTTP/1.1

	ReadHeaderTimeout time.Duration // 0: 5 s
	IdleTimeout       time.Duration // 0: 120 s
	MaxHeaderBytes    int           // 0: 64 KiB
	ShutdownTimeout   time.Duration // of Listen on a signal; 0: 20 s
}

const (
	defaultBodyLimit  = 4 << 20
	defaultReadHeader = 5 * time.Second
	defaultIdle       = 120 * time.Second
	defaultMaxHeader  = 64 << 10
	defaultShutdown   = 20 * time.Second
)

func (o *Options) fill() {
	if o.BodyLimit == 0 {
		o.BodyLimit = defaultBodyLimit
	}
	if o.ReadHeaderTimeout == 0 {
		o.ReadHeaderTimeout = defaultReadHeader
	}
	if o.IdleTimeout == 0 {
		o.IdleTimeout = defaultIdle
	}
	if o.MaxHeaderBytes == 0 {
		o.MaxHeaderBytes = defaultMaxHeader
	}
	if o.ShutdownTimeout == 0 {
		o.ShutdownTimeout = defaultShutdown
	}
	if o.ErrorHandler == nil {
		o.ErrorHandler = DefaultErrorHandler
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
}

// App is a web application and an http.Handler. Routes are registered before
// it serves; everything else is safe from any goroutine.
type App struct {
	root // Get, Post, Group, With, Use, WS and the other methods of Group

	opts    Options
	proxies []netip.Prefix
	valid   *validation

	mu      sync.Mutex // guards the fields below
	routes  []*Route
	named   map[string]*Route
	mounted []*App
	plugins []Plugin
	started []Plugin
	onStart []func(context.Context) error
	onStop  []func(context.Context) error
	server  *http.Server
	running bool          // plugins have been started
	closed  bool          // Shutdown was called
	stopped chan struct{} // Shutdown has ended

	table atomic.Pointer[table] // nil: to be built

	sockets *websocket.Server // nil before EnableWebSocket
	wsUse   []WSMiddleware    // guarded by mu
}

// root is the group that an App is, under a name that leaves the method Group
// visible.
type root = Group

// New makes an App. It panics on a mistake in the options.
func New(opts ...Options) *App {
	a := &App{named: make(map[string]*Route), stopped: make(chan struct{})}
	if len(opts) > 0 {
		a.opts = opts[0]
	}
	a.opts.fill()
	a.proxies = parseProxies(a.opts.TrustedProxies)
	a.valid = newValidation()
	a.root = root{app: a}
	return a
}

// Logger is the logger of the App.
func (a *App) Logger() *slog.Logger { return a.opts.Logger }

// ServeHTTP answers a request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := newContext(a, w, r)
	t := a.table.Load()
	if t == nil {
		t = a.build()
	}
	t.match(c)
	if a.opts.BodyLimit > 0 && r.Body != nil && r.Body != http.NoBody {
		r.Body = http.MaxBytesReader(w, r.Body, a.opts.BodyLimit)
	}
	if err := c.protect(); err != nil {
		c.HandleError(err)
	}
}

// build makes the route table from what is registered.
func (a *App) build() *table {
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.table.Load(); t != nil {
		return t
	}
	t := newTable(a)
	a.table.Store(t)
	return t
}
