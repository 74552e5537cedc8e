package nextrush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/contain"
	"github.com/nextrush/nextrush/internal/hook"
	"github.com/nextrush/nextrush/internal/server"
)

// lifecycle is what an app has started and has to stop.
type lifecycle struct {
	plugins    []Plugin
	onStart    []func(context.Context) error
	onShutdown []func(context.Context) error
	before     []func(context.Context) // Shutdown
	failed     error                   // of installing a plugin

	starting   *hook.Once
	beforeOnce sync.Once
	stopping   *hook.Once
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
	err := a.runOnStart(ctx)
	if err == nil {
		err = a.idleGroup() // hooks may register routes
	}
	if err != nil {
		return errors.Join(err, a.stopPlugins(ctx, a.life.plugins), shutdownAll(ctx, children))
	}
	return nil
}

func (a *App) runOnStart(ctx context.Context) error {
	for _, f := range a.life.onStart {
		if err := a.runHook(ctx, f); err != nil {
			return fmt.Errorf("nextrush: OnStart: %w", err)
		}
	}
	return nil
}

func (a *App) copyChildren() []*App {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.children)
}

func (a *App) descendants() []*App {
	a.mu.Lock()
	all := slices.Clone(a.children)
	a.mu.Unlock()
	for _, child := range slices.Clone(all) {
		all = append(all, child.descendants()...)
	}
	return all
}

func shutdownAll(ctx context.Context, apps []*App) error {
	var errs []error
	for _, app := range slices.Backward(apps) {
		errs = append(errs, app.Shutdown(ctx))
	}
	return errors.Join(errs...)
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
	a.server.Close()
	started := l.starting.Succeeded()
	errs = append(errs, a.drain(ctx))
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

// drain ends sockets, requests and connections that were taken over, those of mounted
// apps too, all at the same time.
func (a *App) drain(ctx context.Context) error {
	apps := append(a.descendants(), a)
	errs := make([]error, 2*len(apps))
	var wg sync.WaitGroup
	for i, app := range apps {
		wg.Go(func() { errs[2*i] = app.server.Drain(ctx) })
		if app.sockets != nil {
			wg.Go(func() { errs[2*i+1] = app.sockets.Shutdown(ctx) })
		}
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

// Context ends when the app begins to drain: once the BeforeShutdown hooks have
// returned. A handler that waits for long, as a poll or a stream does, should
// return then; Context.Context ends only halfway through the time that Shutdown
// has left. Both have the cause http.ErrServerClosed. It is safe from any goroutine.
func (a *App) Context() context.Context { return a.server.Closing() }

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

// counter counts the requests that run for the same route.
func (c *Context) counter() *atomic.Int64 {
	if rt := c.matched(); rt != nil {
		return &rt.running
	}
	return &c.app.unrouted
}
