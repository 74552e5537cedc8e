package nextrush

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"text/tabwriter"

	"github.com/nextrush/nextrush/internal/stall"
)

// lifecycle is what an app has started and has to stop.
type lifecycle struct {
	plugins    []Plugin
	onStart    []func(context.Context) error
	onShutdown []func(context.Context) error
	before     []func(context.Context) // Shutdown
	failed     error                   // of installing a plugin

	hijacked hijacked

	closing context.Context // ends when the app begins to drain
	close   context.CancelCauseFunc

	requests    context.Context // that of all requests to the server
	endRequests context.CancelCauseFunc
	unrouted    atomic.Int64 // requests without a route that run

	starting   once
	beforeOnce sync.Once
	stopping   once

	mu      sync.Mutex // guards what follows
	started bool
	server  *http.Server
	base    context.Context // as net/http makes it for server
}

func (l *lifecycle) init() {
	l.closing, l.close = context.WithCancelCause(context.Background())
	l.requests, l.endRequests = context.WithCancelCause(context.Background())
	l.starting.done, l.stopping.done = make(chan struct{}), make(chan struct{})
}

// Start starts the plugins and runs the OnStart hooks, those of mounted apps
// first; once, whoever calls it. Listen and Serve do: it is for apps that are
// served by something else. When it fails, what had started is stopped. A second call
// waits for the first, as long as its ctx lasts, and returns the same.
func (a *App) Start(ctx context.Context) error {
	l := &a.life
	return l.starting.do(ctx, func() error {
		err := a.start(ctx)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.started = err == nil
		return err
	})
}

func (a *App) start(ctx context.Context) error {
	if a.life.failed != nil {
		return a.life.failed
	}
	children := a.copyChildren()
	for i, child := range children {
		if err := child.Start(ctx); err != nil {
			return errors.Join(err, shutdownAll(ctx, children[:i]))
		}
	}
	if err := a.startPlugins(ctx); err != nil {
		return errors.Join(err, shutdownAll(ctx, children))
	}
	for _, f := range a.life.onStart {
		if err := a.runHook(ctx, f); err != nil {
			err = fmt.Errorf("nextrush: OnStart: %w", err)
			return errors.Join(err, a.stopPlugins(ctx, a.life.plugins), shutdownAll(ctx, children))
		}
	}
	return nil
}

func (a *App) copyChildren() []*App {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.children)
}

func shutdownAll(ctx context.Context, apps []*App) error {
	var errs []error
	for _, app := range slices.Backward(apps) {
		errs = append(errs, app.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Listen serves HTTP on a TCP address, ":3000", until SIGINT or SIGTERM, and
// shuts down then, within Options.ShutdownTimeout. It returns nil after a
// shutdown in which all requests and sockets ended by themselves.
func (a *App) Listen(addr string) error {
	return a.listen(addr, nil)
}

// ListenTLS is Listen for HTTPS, with HTTP/2, on the certificate and key in two
// PEM files.
func (a *App) ListenTLS(addr, certFile, keyFile string) error {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("nextrush: ListenTLS: %w", err)
	}
	return a.listen(addr, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
}

// ListenTLSConfig is ListenTLS for certificates that come from elsewhere: config
// has them, or a function that gets them.
func (a *App) ListenTLSConfig(addr string, config *tls.Config) error {
	if err := checkTLS(config); err != nil {
		return fmt.Errorf("nextrush: ListenTLSConfig: %w", err)
	}
	return a.listen(addr, config)
}

// ListRoutes names the environment variable that has Listen print the routes and
// return, for tools: the command nextrush routes sets it.
const ListRoutes = "NEXTRUSH_LIST_ROUTES"

func (a *App) printRoutes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range a.Routes() {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", cmp.Or(r.Method, "ANY"), r.Path, r.Name, r.Source)
	}
	return table.Flush()
}

func (a *App) listen(addr string, config *tls.Config) error {
	if os.Getenv(ListRoutes) != "" {
		return a.printRoutes(os.Stdout)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		return listenError(addr, err)
	}
	if err := a.Start(ctx); err != nil { // before a shutdown can begin, which stops what has started
		ln.Close()
		return err
	}
	result := make(chan error, 1)
	go func() { result <- a.serve(ctx, ln, config) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process
	a.log().Info("shutting down")
	timeout, cancel := context.WithTimeout(context.Background(), a.opts.ShutdownTimeout)
	defer cancel()
	err = a.Shutdown(timeout)
	served := <-result
	if errors.Is(served, http.ErrServerClosed) { // the signal came before the first Accept
		served = nil
	}
	return errors.Join(err, served)
}

// listenError names the address to write where addr is none.
func listenError(addr string, err error) error {
	var wrong *net.AddrError
	if !errors.As(err, &wrong) {
		return fmt.Errorf("nextrush: listen: %w", err)
	}
	fix := ":3000"
	_, number := strconv.ParseUint(addr, 10, 16)
	switch _, ip := netip.ParseAddr(addr); {
	case number == nil:
		fix = ":" + addr
	case ip == nil, !strings.ContainsAny(addr, ":/"):
		fix = net.JoinHostPort(addr, "3000")
	}
	return fmt.Errorf("nextrush: listen: %w: write %q", err, fix)
}

// Serve serves HTTP on a listener, which it closes, until Shutdown is called, and
// returns nil when that is done. It starts the app first, and may be called for
// several listeners.
func (a *App) Serve(ln net.Listener) error {
	return a.serve(context.Background(), ln, nil)
}

// ServeTLS is Serve for HTTPS, with HTTP/2. The config, of which it takes a copy,
// is for this listener alone.
func (a *App) ServeTLS(ln net.Listener, config *tls.Config) error {
	if err := checkTLS(config); err != nil {
		ln.Close()
		return fmt.Errorf("nextrush: ServeTLS: %w", err)
	}
	return a.serve(context.Background(), ln, config)
}

func (a *App) serve(ctx context.Context, ln net.Listener, config *tls.Config) error {
	if err := a.Start(ctx); err != nil {
		ln.Close()
		return err
	}
	server, err := a.httpServer()
	if err != nil {
		ln.Close()
		return err
	}
	a.buildTable()
	a.log().Info("listening", "url", listenURL(ln.Addr(), config != nil))
	ln = stall.Listen(ln, a.opts.StallTimeout)
	if config != nil {
		ln = withTLS(ln, config)
	}
	if err = server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("nextrush: serve: %w", err)
	}
	<-a.life.stopping.done
	return nil
}

// httpServer returns the app's one server.
func (a *App) httpServer() (*http.Server, error) {
	l := &a.life
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closing.Err() != nil {
		return nil, http.ErrServerClosed
	}
	if l.server == nil {
		l.server = a.newServer()
		l.base = context.WithValue(context.Background(), http.ServerContextKey, l.server)
	}
	return l.server, nil
}

func (a *App) newServer() *http.Server {
	s := &http.Server{
		Handler:           paced{a},
		BaseContext:       func(net.Listener) context.Context { return a.life.requests },
		ReadHeaderTimeout: a.opts.ReadHeaderTimeout,
		IdleTimeout:       a.opts.IdleTimeout,
		MaxHeaderBytes:    a.opts.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(a.log().Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
		// So that OPTIONS * runs through our middleware like any other.
		DisableGeneralOptionsHandler: true,
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	s.Protocols.SetUnencryptedHTTP2(a.opts.H2C)
	return s
}

// light is the least context of a request to the app's own server; nil: there is
// no server.
func (l *lifecycle) light() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base
}

func listenURL(addr net.Addr, secure bool) string {
	scheme := "http://"
	if secure {
		scheme = "https://"
	}
	tcp, ok := addr.(*net.TCPAddr)
	if ok && tcp.IP.IsUnspecified() {
		return fmt.Sprintf("%slocalhost:%d", scheme, tcp.Port)
	}
	return scheme + addr.String()
}

// Shutdown ends the app: the BeforeShutdown hooks, then no new requests, sockets
// closed with 1001 while the requests under way finish, then the OnShutdown hooks
// and the plugins in reverse, then mounted apps. Halfway through the time that ctx
// leaves for the requests, or Options.ShutdownTimeout where it has no deadline, the
// contexts of those that are left end. When ctx ends first, they are cut, and that
// is an error, which names their routes. So is a hook or a plugin that panics, ends
// its goroutine or ignores the end of ctx; the others get their turn. A second call
// waits for the first, as long as its ctx lasts, and returns the same.
func (a *App) Shutdown(ctx context.Context) error {
	return a.life.stopping.do(ctx, func() error { return a.shutdown(ctx) })
}

func (a *App) shutdown(ctx context.Context) error {
	l := &a.life
	errs := []error{a.announceShutdown(ctx)}
	l.mu.Lock()
	l.close(http.ErrServerClosed)
	server, started := l.server, l.started
	l.mu.Unlock()

	errs = append(errs, a.drain(ctx, server))
	for _, f := range slices.Backward(l.onShutdown) {
		if err := a.runHook(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("nextrush: OnShutdown: %w", err))
		}
	}
	if started {
		errs = append(errs, a.stopPlugins(ctx, l.plugins))
	}
	errs = append(errs, shutdownAll(ctx, a.copyChildren()))
	return errors.Join(errs...)
}

// drain ends sockets and other connections that were taken over, those of mounted
// apps too, and requests at the same time.
func (a *App) drain(ctx context.Context, server *http.Server) error {
	apps := append(a.descendants(), a)
	errs := make([]error, 2*len(apps)+1)
	var wg sync.WaitGroup
	for i, app := range apps {
		app.life.close(http.ErrServerClosed)
		wg.Go(func() { errs[len(apps)+i] = app.life.hijacked.shutdown(ctx) })
		if app.sockets != nil {
			wg.Go(func() { errs[i] = app.sockets.Shutdown(ctx) })
		}
	}
	if server != nil {
		errs[2*len(apps)] = a.drainRequests(ctx, server)
	}
	wg.Wait()
	return errors.Join(errs...)
}
