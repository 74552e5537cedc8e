package nextrush

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
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

// light is the least context of a request to the app's own server; nil: there is
// no server.
func (l *lifecycle) light() context.Context {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.base
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
