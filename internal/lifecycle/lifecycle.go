// Package lifecycle starts and stops an app: its plugins and hooks in their order, and
// those of the apps that are mounted in it. What to serve, it is told as functions.
package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// Config is what a Life knows of its app.
type Config struct {
	Check    func() error                // looks for mistakes after the OnStart hooks
	Close    func()                      // has the app take no more requests
	Drain    func(context.Context) error // waits for what runs, and ends it
	Panicked func(v any) error           // the error of a hook's panic, in the function that has recovered it
}

// Plugin is what starts and stops if it has methods of these names with a context.
type Plugin interface{ Name() string }

// Life is what one app starts, and has to stop. What is registered comes before Start;
// Start and Shutdown are safe from any goroutine.
type Life struct {
	config     Config
	plugins    []Plugin
	onStart    []func(context.Context) error
	onShutdown []func(context.Context) error
	before     []func(context.Context) // Shutdown
	failed     error                   // of installing a plugin

	starting   once
	beforeOnce sync.Once
	stopping   once

	mu      sync.Mutex // guards mounted
	mounted []*Life
}

// New returns the Life of an app that has nothing to start.
func New(c Config) *Life {
	return &Life{config: c, starting: once{done: make(chan struct{})}, stopping: once{done: make(chan struct{})}}
}

// OnStart registers f to run after the plugins have started.
func (l *Life) OnStart(f func(context.Context) error) { l.onStart = append(l.onStart, f) }

// BeforeShutdown registers f to run when Shutdown begins, at the same time as the others.
func (l *Life) BeforeShutdown(f func(context.Context)) { l.before = append(l.before, f) }

// OnShutdown registers f to run before the plugins stop, the last one first.
func (l *Life) OnShutdown(f func(context.Context) error) { l.onShutdown = append(l.onShutdown, f) }

// Fail has Start return the error.
func (l *Life) Fail(err error) { l.failed = errors.Join(l.failed, err) }

// Mount has the life of another app begin before this one's, and end after it.
func (l *Life) Mount(inner *Life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.mounted = append(l.mounted, inner)
}

func (l *Life) children() []*Life {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.mounted)
}

// all are the lives mounted in this one, at any depth, and then itself.
func (l *Life) all() []*Life { return append(l.descendants(), l) }

func (l *Life) descendants() []*Life {
	all := l.children()
	for _, child := range slices.Clone(all) {
		all = append(all, child.descendants()...)
	}
	return all
}

// Has reports whether another life is this one, or is mounted in it.
func (l *Life) Has(other *Life) bool { return slices.Contains(l.all(), other) }

// Start starts what is mounted, the plugins, and runs the OnStart hooks. If one fails,
// those that have started are stopped. A second call waits for the first, as long as its
// ctx lasts, and returns the same.
func (l *Life) Start(ctx context.Context) error { return l.starting.do(ctx, l.start) }

func (l *Life) start(ctx context.Context) error {
	if l.failed != nil {
		return l.failed
	}
	children := l.children()
	for i, child := range children {
		if err := child.Start(ctx); err != nil {
			return errors.Join(err, shutdownAll(ctx, children[:i]))
		}
	}
	if err := l.startPlugins(ctx); err != nil {
		return errors.Join(err, shutdownAll(ctx, children))
	}
	err := l.runOnStart(ctx)
	if err == nil {
		err = l.config.Check() // hooks may register routes
	}
	if err != nil {
		return errors.Join(err, l.stopPlugins(ctx, l.plugins), shutdownAll(ctx, children))
	}
	return nil
}

func (l *Life) runOnStart(ctx context.Context) error {
	for _, f := range l.onStart {
		if err := l.run(ctx, f); err != nil {
			return fmt.Errorf("nextrush: OnStart: %w", err)
		}
	}
	return nil
}

func (l *Life) run(ctx context.Context, f func(context.Context) error) error {
	return run(ctx, f, l.config.Panicked)
}

func shutdownAll(ctx context.Context, lives []*Life) error {
	var errs []error
	for _, l := range slices.Backward(lives) {
		errs = append(errs, l.Shutdown(ctx))
	}
	return errors.Join(errs...)
}

// Stopped is closed when Shutdown has done its work.
func (l *Life) Stopped() <-chan struct{} { return l.stopping.done }

// Shutdown runs the BeforeShutdown hooks, closes the app and drains it with what is
// mounted, runs the OnShutdown hooks, and stops the plugins in reverse order, and then
// what is mounted. A second call waits for the first, as long as its ctx lasts, and
// returns the same.
func (l *Life) Shutdown(ctx context.Context) error { return l.stopping.do(ctx, l.shutdown) }

func (l *Life) shutdown(ctx context.Context) error {
	errs := []error{l.announceShutdown(ctx)}
	l.config.Close()
	started := l.starting.succeeded()
	errs = append(errs, l.drain(ctx))
	for _, f := range slices.Backward(l.onShutdown) {
		if err := l.run(ctx, f); err != nil {
			errs = append(errs, fmt.Errorf("nextrush: OnShutdown: %w", err))
		}
	}
	if started {
		errs = append(errs, l.stopPlugins(ctx, l.plugins))
	}
	errs = append(errs, shutdownAll(ctx, l.children()))
	return errors.Join(errs...)
}

// drain drains all at the same time.
func (l *Life) drain(ctx context.Context) error {
	all := l.all()
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, l := range all {
		wg.Go(func() { errs[i] = l.config.Drain(ctx) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// announceShutdown runs the BeforeShutdown hooks, each once.
func (l *Life) announceShutdown(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex // guards errs
		errs []error
	)
	for _, l := range l.all() {
		l.beforeOnce.Do(func() {
			for _, f := range l.before {
				wg.Go(func() {
					err := l.run(ctx, func(ctx context.Context) error { f(ctx); return nil })
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
