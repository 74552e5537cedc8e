package nextrush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-playground/validator/v10"

	"github.com/nextrush/nextrush/internal/clientip"
	"github.com/nextrush/nextrush/internal/console"
	"github.com/nextrush/nextrush/internal/lifecycle"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/origin"
	"github.com/nextrush/nextrush/internal/seldom"
	"github.com/nextrush/nextrush/internal/server"
	"github.com/nextrush/nextrush/websocket"
)

// Options configures an App. The zero value is safe and complete; each field
// says what its zero means.
type Options struct {
	// TrustedProxies lists the addresses and CIDR blocks of proxies whose
	// X-Forwarded-For, -Proto and -Host are believed; empty: nobody's. "loopback",
	// "private" and "linklocal" are those networks, "cloudflare" is the list that
	// Cloudflare had published in September 2026; see [App.TrustProxies] for a newer one.
	// Those are not believed in X-Forwarded-Host, which they pass on as visitors send it.
	TrustedProxies []string
	// TrustedHops is the number of proxies in front of the app, whatever their addresses,
	// instead of TrustedProxies; 0: those count. Nobody may be able to reach the app
	// around them, or he could claim any address.
	TrustedHops int
	// TrustedOrigins lists origins whose pages may act for their visitors, as the app's
	// own may: "https://a.example", "https://*.a.example". Sockets, middleware.CSRF,
	// middleware.CORS with Credentials and the cookie of plugins/auth let them in. "*"
	// and "null" are refused.
	TrustedOrigins []string
	// TrustOrigin reports whether to trust an origin that TrustedOrigins does not list,
	// such as the domain of a tenant. It is called from any goroutine, with the text that
	// the browser sent, which is a well-formed origin; nil: no other is trusted.
	TrustOrigin func(r *http.Request, origin string) bool

	BodyLimit int64 // bytes of a request body, then 413; 0: 4 MiB; negative: no limit

	// Debug is for development: causes and stacks of errors are sent to the
	// client, a request that nobody answers is logged as a warning, and the routes are
	// logged at start. If neither Logger nor slog.SetDefault sets a logger, the log is
	// written for people, at all levels.
	Debug bool

	ErrorHandler func(c *Context, err error) // nil: DefaultErrorHandler, which also answers what yours does not
	Logger       *slog.Logger                // nil: slog.Default()
	Renderer     Renderer                    // for Context.Render; nil: it fails
	Validator    Validator                   // nil: NewValidator()

	// ValidationMessage says what is wrong with a field, in the language that the
	// client reads, for example. If it is nil or returns "", the message is in English.
	// Its Context is nil for events of sockets. It is called from any goroutine.
	ValidationMessage func(c *Context, f validator.FieldError) string

	// StrictJSON makes Bind and BindJSON answer 400 to JSON with a member that no field
	// takes, or with a name twice in an object. Otherwise such a member is ignored, and the
	// last of the two counts.
	StrictJSON bool

	// Server is what serves HTTP/1.1 without TLS; 0: ServerAuto.
	Server ServerKind

	H2C               bool          // HTTP/2 without TLS as well, with prior knowledge
	ReadHeaderTimeout time.Duration // 0: 5 s; negative: none
	// BodyTimeout is how long, in all, a client may keep a request waiting for its
	// body; each KiB gives a second back. Then 408. 0: 30 s; negative: no limit. An
	// http.Server of your own that has a ReadTimeout keeps to that instead.
	BodyTimeout time.Duration
	// StallTimeout is how long, in all, a client may keep an answer waiting that it does
	// not read; each 128 bytes that it takes give a second back. Then the answer is
	// cut off, and writing fails. Pauses between writes do not count, nor what a handler
	// has hijacked or set a write deadline for. 0: 30 s; negative: no limit. An
	// http.Server of your own that has a WriteTimeout keeps to that instead.
	StallTimeout    time.Duration
	IdleTimeout     time.Duration // between requests of one connection; 0: 120 s; negative: none
	MaxHeaderBytes  int           // 0: 64 KiB
	ShutdownTimeout time.Duration // for Listen to end after a signal; 0: 15 s
	StopOnSignal    bool          // Serve and ServeTLS end on SIGINT and SIGTERM too, as Listen does

	// DisableTrailingSlashRedirect turns off redirects with 308 to the clean path, or
	// the path with or without a slash at its end, if only that has a route.
	DisableTrailingSlashRedirect bool
}

// ServerKind is what serves HTTP/1.1 without TLS. HTTPS, HTTP/2, listeners that are not of
// package net and systems other than Linux have net/http in any case.
//
// Connections of the event loop cost no goroutine while they wait. It is stricter than
// net/http in what RFC 9112 lets a server refuse.
type ServerKind uint8

const (
	ServerAuto    ServerKind = iota // the event loop
	ServerNetHTTP                   // net/http
	ServerLoop                      // the event loop
)

// Renderer turns a template and its data into text.
type Renderer interface {
	Render(w io.Writer, name string, data any, c *Context) error
}

func (o Options) withDefaults() Options {
	o.BodyLimit = cmp.Or(o.BodyLimit, 4<<20)
	if o.Debug && o.Logger == nil && console.Untouched() {
		o.Logger = console.Logger()
	}
	if o.ErrorHandler == nil {
		o.ErrorHandler = DefaultErrorHandler
	}
	if o.Validator == nil {
		o.Validator = NewValidator()
	}
	o.ReadHeaderTimeout = cmp.Or(o.ReadHeaderTimeout, 5*time.Second)
	o.BodyTimeout = cmp.Or(o.BodyTimeout, 30*time.Second)
	o.StallTimeout = cmp.Or(o.StallTimeout, 30*time.Second)
	o.IdleTimeout = cmp.Or(o.IdleTimeout, 120*time.Second)
	o.MaxHeaderBytes = cmp.Or(o.MaxHeaderBytes, 64<<10)
	o.ShutdownTimeout = cmp.Or(o.ShutdownTimeout, 15*time.Second)
	return o
}

// App is a set of routes, their middleware and plugins, and a server for them.
// It is an http.Handler that may be served from any goroutine. Routes,
// middleware and plugins are for set-up, before it serves.
type App struct {
	routes
	opts    Options
	proxies clientip.Proxies
	trusted origin.Trust

	mu      sync.Mutex        // guards what follows, up to the blank line
	all     []*Route          // in order of registration
	taken   map[string]*Route // by method and pattern
	mounted []*routes         // where this app is mounted in others
	groups  []*routes

	table atomic.Pointer[table] // nil until the first request after a change

	pre   []func(http.Handler) http.Handler
	front http.Handler // all of pre around answer; nil without any

	sockets  *websocket.Server // nil before EnableWebSocket
	refusals seldom.Log        // of upgrades
	life     *lifecycle.Life
	server   *server.Server
	unrouted atomic.Int64 // requests without a route that run
	pace     lazyPace     // of those, and of all if there is middleware given to Pre
}

// New makes an app. It panics on a mistake in the options; the text says which.
func New(opts ...Options) *App {
	a := &App{taken: make(map[string]*Route)}
	a.routes.app = a
	a.opts = opt.First(opts).withDefaults()
	if a.opts.TrustedHops < 0 || a.opts.TrustedHops > 0 && len(a.opts.TrustedProxies) > 0 {
		panic("nextrush: TrustedHops: give the number of proxies, and no TrustedProxies besides")
	}
	a.proxies.Hops = a.opts.TrustedHops
	err := a.TrustProxies(a.opts.TrustedProxies...)
	if err != nil {
		panic(err.Error())
	}
	a.trusted.Func = a.opts.TrustOrigin
	if a.trusted.List, err = origin.ParseTrusted(a.opts.TrustedOrigins); err != nil {
		panic("nextrush: TrustedOrigins: " + err.Error())
	}
	a.server = a.newServer()
	a.life = a.newLife()
	return a
}

// TrustProxies replaces the list of Options.TrustedProxies, as when a provider has
// published a new one. An error names the entry that is wrong, and the list stays
// as it was. It is safe from any goroutine.
func (a *App) TrustProxies(list ...string) error {
	blocks, err := clientip.ParseBlocks(list)
	if err == nil && len(list) > 0 && a.opts.TrustedHops > 0 {
		err = errors.New("the app counts its proxies: leave out TrustedHops")
	}
	if err != nil {
		return fmt.Errorf("nextrush: TrustedProxies: %w", err)
	}
	a.proxies.Set(blocks)
	return nil
}

// TrustsOrigin reports whether a request's Origin is one of Options.TrustedOrigins, or
// Options.TrustOrigin knows it. The app's own origin and "null" are not. It is safe from
// any goroutine.
func (a *App) TrustsOrigin(r *http.Request, origin string) bool { return a.trusted.Has(r, origin) }

// Log returns the app's logger. It is safe from any goroutine.
func (a *App) Log() *slog.Logger { return cmp.Or(a.opts.Logger, slog.Default()) }

// Context ends when the app begins to drain: once the BeforeShutdown hooks have
// returned. A handler that waits for long, as a poll or a stream does, should
// return then; Context.Context ends only halfway through the time that Shutdown
// has left. Both have the cause http.ErrServerClosed. It is safe from any goroutine.
func (a *App) Context() context.Context { return a.server.Closing() }
