package nextrush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/contain"
	"github.com/nextrush/nextrush/internal/hijack"
	"github.com/nextrush/nextrush/internal/hook"
)

// lifecycle is what an app has started and has to stop.
type lifecycle struct {
	plugins    []Plugin
	onStart    []func(context.Context) error
	onShutdown []func(context.Context) error
	before     []func(context.Context) // Shutdown
	failed     error                   // of installing a plugin

	hijacked hijack.Conns

	closing context.Context // ends when the app begins to drain
	close   context.CancelCauseFunc

	requests    context.Context // that of all requests to the server
	endRequests context.CancelCauseFunc
	unrouted    atomic.Int64 // requests without a route that run

	starting   *hook.Once
	beforeOnce sync.Once
	stopping   *hook.Once

	mu     sync.Mutex // guards what follows
	server *http.Server
	base   context.Context // as net/http makes it for server
}

func (l *lifecycle) init() {
	l.closing, l.close = context.WithCancelCause(context.Background())
	l.requests, l.endRequests = context.WithCancelCause(context.Background())
	l.starting, l.stopping = hook.NewOnce(), hook.NewOnce()
}

// OnStart registers f to run before the app begins to serve, after the plugins have
// started. Its error ends the start.
func (a *App) OnStart(f func(ctx context.Context) error) {
	a.life.onStart = append(a.life.onStart, f)
}

// BeforeShutdown registers f to run when Shutdown begins, while the app still serves,
// at the same time as the others. The app stops serving when all have returned: one
// that waits gives a load balancer time to look elsewhere. ctx ends when time is up,
// and a second later the app no longer waits for f.
func (a *App) BeforeShutdown(f func(ctx context.Context)) {
	a.life.before = append(a.life.before, f)
}

// OnShutdown registers f to run when the app has stopped serving, before the plugins
// stop; the last one registered runs first. ctx ends when time is up, and a second
// later the app no longer waits for f.
func (a *App) OnShutdown(f func(ctx context.Context) error) {
	a.life.onShutdown = append(a.life.onShutdown, f)
}

// Start starts the plugins and runs the OnStart hooks, those of mounted apps first. If
// one fails, those that have started are stopped. Listen and Serve call Start; it is for
// apps that are served by something else. A second call waits for the first, as long as
// its ctx lasts, and returns the same.
func (a *App) Start(ctx context.Context) error {
	return a.life.starting.Do(ctx, func() error { return a.start(ctx) })
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

// baseContext is what net/http begins the context of a request to the app's own server
// with; nil before there is a server.
func (l *lifecycle) baseContext() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base
}

// Shutdown ends the app. It runs the BeforeShutdown hooks, takes no new requests, closes
// sockets with 1001 while the requests under way finish, runs the OnShutdown hooks, and
// stops the plugins in reverse order, and then mounted apps.
//
// Halfway through the time that ctx leaves for the requests, or Options.ShutdownTimeout
// if it has no deadline, the contexts of requests end. Requests that are left when ctx
// ends are cut, and the error names their routes. A hook or a plugin that panics, ends
// its goroutine or ignores the end of ctx is an error too; the others get their turn. A
// second call waits for the first, as long as its ctx lasts, and returns the same.
func (a *App) Shutdown(ctx context.Context) error {
	return a.life.stopping.Do(ctx, func() error { return a.shutdown(ctx) })
}

func (a *App) shutdown(ctx context.Context) error {
	l := &a.life
	errs := []error{a.announceShutdown(ctx)}
	l.mu.Lock()
	l.close(http.ErrServerClosed)
	server, started := l.server, l.starting.Succeeded()
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
		wg.Go(func() { errs[len(apps)+i] = app.life.hijacked.Shutdown(ctx) })
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

// runHook is hook.Run, and logs a panic with its stack.
func (a *App) runHook(ctx context.Context, f func(context.Context) error) error {
	return hook.Run(ctx, f, func(v any) error {
		p := asPanicError(v)
		contain.Run(func() { a.Log().Error("panic in a hook", "error", p, "stack", string(p.Stack)) })
		return p
	})
}

// announceShutdown runs the BeforeShutdown hooks of the app and those mounted in
// it, each once.
func (a *App) announceShutdown(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards errs
		errs []error
	)
	for _, app := range append(a.descendants(), a) {
		app.life.beforeOnce.Do(func() {
			for _, f := range app.life.before {
				wg.Go(func() {
					err := app.runHook(ctx, func(ctx context.Context) error { f(ctx); return nil })
					if err != nil {
						mu.Lock()
						defer mu.Unlock()
						errs = append(errs, fmt.Errorf("nextrush: BeforeShutdown: %w", err))
					}
				})
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

const (
	drainNotice = time.Second // what ends sooner is not worth a line in the log
	drainNamed  = 10          // routes that the log names
)

// Context ends when the app begins to drain: once the BeforeShutdown hooks have
// returned. A handler that waits for long, as a poll or a stream does, should
// return then; Context.Context ends only halfway through the time that Shutdown
// has left. Both have the cause http.ErrServerClosed. It is safe from any goroutine.
func (a *App) Context() context.Context { return a.life.closing }

// drainRequests ends the server and waits for its requests. Halfway through the
// time that ctx leaves, or through Options.ShutdownTimeout if it has no deadline,
// the contexts of those that are left end.
func (a *App) drainRequests(ctx context.Context, server *http.Server) error {
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		a.watchDrain(ctx, done)
	}()
	err := server.Shutdown(ctx)
	close(done)
	<-watched
	if err != nil {
		err = fmt.Errorf("nextrush: shutdown: requests were cut: %s: %w", a.running(), err)
		server.Close()
	}
	a.life.endRequests(http.ErrServerClosed)
	return err
}

func (a *App) watchDrain(ctx context.Context, done <-chan struct{}) {
	half := a.opts.ShutdownTimeout / 2
	if deadline, ok := ctx.Deadline(); ok {
		half = time.Until(deadline) / 2
	}
	notice := min(drainNotice, half/2)
	select {
	case <-done:
		return
	case <-time.After(notice):
	}
	contain.Run(func() { a.Log().Info("shutdown: waiting for requests", "requests", a.running()) })
	select {
	case <-done:
		return
	case <-time.After(half - notice):
	}
	contain.Run(func() {
		a.Log().Warn("shutdown: half of the time is over, and requests are left: their contexts end", "requests", a.running())
	})
	a.life.endRequests(http.ErrServerClosed)
}

// running tells how many requests run, by route.
func (a *App) running() string {
	type count struct {
		n    int64
		what string
	}
	counts := []count{{a.life.unrouted.Load(), "no route"}}
	a.mu.Lock()
	for _, rt := range a.all {
		counts = append(counts, count{rt.running.Load(), cmp.Or(rt.method, "ANY") + " " + rt.Path()})
	}
	a.mu.Unlock()
	counts = slices.DeleteFunc(counts, func(c count) bool { return c.n <= 0 })
	slices.SortFunc(counts, func(a, b count) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.what, b.what)) })
	var parts []string
	for i, c := range counts {
		if i == drainNamed {
			parts = append(parts, fmt.Sprintf("those of %d other routes", len(counts)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d of %s", c.n, c.what))
	}
	return cmp.Or(strings.Join(parts, ", "), "none in a handler")
}

// counter counts the requests that run for the same route.
func (c *Context) counter() *atomic.Int64 {
	if rt := c.matched(); rt != nil {
		return &rt.running
	}
	return &c.app.life.unrouted
}

// endedByShutdown reports an error that comes of the end of a request's context at
// shutdown.
func (c *Context) endedByShutdown(err error) bool {
	return errors.Is(err, context.Canceled) && context.Cause(c.req.Context()) == http.ErrServerClosed
}
