package nextrush

import (
	"context"
	"errors"

	"github.com/nextrush/nextrush/internal/contain"
)

// Plugin is a part of an app that has state or a life cycle, or adds routes.
type Plugin interface {
	Name() string
	Install(app *App) error // register routes, middleware, hooks
}

// Starter is a plugin that does something when the app begins to serve.
type Starter interface {
	Start(ctx context.Context) error
}

// Stopper is a plugin that does something when the app has stopped serving.
// ctx ends when time is up, and a second later the app no longer waits.
type Stopper interface {
	Stop(ctx context.Context) error
}

// Register installs plugins in the order given. They start in that order too,
// and stop in reverse. The first failure is returned, and kept: an app with a
// plugin that was not installed does not start. A second plugin of the same name
// is such a failure.
func (a *App) Register(plugins ...Plugin) error {
	for _, p := range plugins {
		if err := a.install(p); err != nil {
			a.life.Fail(err)
			return err
		}
	}
	return nil
}

func (a *App) install(p Plugin) error {
	return a.life.Install(p, func() error { return p.Install(a) })
}

// Plugin returns the plugin registered under that name, or nil.
func (a *App) Plugin(name string) Plugin {
	p, _ := a.life.Plugin(name).(Plugin)
	return p
}

// OnStart registers f to run before the app begins to serve, after the plugins have
// started. Its error ends the start.
func (a *App) OnStart(f func(ctx context.Context) error) { a.life.OnStart(f) }

// BeforeShutdown registers f to run when Shutdown begins, while the app still serves,
// at the same time as the others. The app stops serving when all have returned: one
// that waits gives a load balancer time to look elsewhere. ctx ends when time is up,
// and a second later the app no longer waits for f.
func (a *App) BeforeShutdown(f func(ctx context.Context)) { a.life.BeforeShutdown(f) }

// OnShutdown registers f to run when the app has stopped serving, before the plugins
// stop; the last one registered runs first. ctx ends when time is up, and a second
// later the app no longer waits for f.
func (a *App) OnShutdown(f func(ctx context.Context) error) { a.life.OnShutdown(f) }

// Start starts the plugins and runs the OnStart hooks, those of mounted apps first. If
// one fails, those that have started are stopped. Listen and Serve call Start; it is for
// apps that are served by something else. A second call waits for the first, as long as
// its ctx lasts, and returns the same.
func (a *App) Start(ctx context.Context) error { return a.life.Start(ctx) }

// Shutdown ends the app. It runs the BeforeShutdown hooks, takes no new requests, closes
// sockets with 1001 while the requests under way finish, runs the OnShutdown hooks, and
// stops the plugins in reverse order, and then mounted apps.
//
// Halfway through the time that ctx leaves for the requests, or Options.ShutdownTimeout
// if it has no deadline, the contexts of requests end. Requests that are left when ctx
// ends are cut, and the error names their routes. A hook or a plugin that panics, ends
// its goroutine or ignores the end of ctx is an error too; the others get their turn. A
// second call waits for the first, as long as its ctx lasts, and returns the same.
func (a *App) Shutdown(ctx context.Context) error { return a.life.Shutdown(ctx) }

// drain ends sockets, requests and connections that were taken over.
func (a *App) drain(ctx context.Context) error {
	if a.sockets == nil {
		return a.server.Drain(ctx)
	}
	closed := make(chan error, 1)
	go func() { closed <- a.sockets.Shutdown(ctx) }()
	return errors.Join(a.server.Drain(ctx), <-closed)
}

func (a *App) hookPanicked(v any) error {
	p := asPanicError(v)
	contain.Run(func() { a.Log().Error("panic in a hook", "error", p, "stack", string(p.Stack)) })
	return p
}
