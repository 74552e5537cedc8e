package nextrush

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Plugin extends an App. A plugin has state, a life cycle or routes; what only
// looks at requests is middleware. Starter and Stopper are found by type
// assertion.
type Plugin interface {
	Name() string
	Install(app *App) error // registers routes, middleware and hooks
}

// Starter is a plugin with something to do before the App serves.
type Starter interface {
	Start(ctx context.Context) error
}

// Stopper is a plugin with something to do after the App has served.
type Stopper interface {
	Stop(ctx context.Context) error
}

// Register installs plugins in order. It panics where one of that name is
// there already, or an Install fails; the text names the plugin.
func (a *App) Register(plugins ...Plugin) *App {
	for _, p := range plugins {
		a.mu.Lock()
		taken := slices.ContainsFunc(a.plugins, func(q Plugin) bool { return q.Name() == p.Name() })
		if !taken {
			a.plugins = append(a.plugins, p)
		}
		a.mu.Unlock()
		if taken {
			panic(fmt.Sprintf("nextrush: plugin %q is registered twice; remove one", p.Name()))
		}
		if err := p.Install(a); err != nil {
			panic(fmt.Errorf("nextrush: plugin %q: install: %w", p.Name(), err))
		}
	}
	return a
}

// OnStart has f called before the App serves, after the plugins have started.
// An error aborts the start.
func (a *App) OnStart(f func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onStart = append(a.onStart, f)
}

// OnShutdown has f called when the App has stopped serving, before the plugins
// are stopped; the last registered first.
func (a *App) OnShutdown(f func(context.Context) error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.onStop = append(a.onStop, f)
}

// start starts the plugins in order, once. Where one fails, those that had
// started are stopped.
func (a *App) start(ctx context.Context) error {
	a.mu.Lock()
	if a.running {
		a.mu.Unlock()
		return nil
	}
	a.running = true
	plugins, hooks := slices.Clone(a.plugins), slices.Clone(a.onStart)
	children := slices.Clone(a.mounted)
	a.mu.Unlock()
	for _, child := range children {
		if err := child.start(ctx); err != nil {
			return err
		}
	}
	err := a.startAll(ctx, plugins, hooks)
	if err != nil {
		err = errors.Join(err, a.stop(ctx))
	}
	return err
}

func (a *App) startAll(ctx context.Context, plugins []Plugin, hooks []func(context.Context) error) error {
	for _, p := range plugins {
		if s, ok := p.(Starter); ok {
			if err := s.Start(ctx); err != nil {
				return fmt.Errorf("nextrush: plugin %q: start: %w", p.Name(), err)
			}
		}
		a.mu.Lock()
		a.started = append(a.started, p)
		a.mu.Unlock()
	}
	for _, f := range hooks {
		if err := f(ctx); err != nil {
			return fmt.Errorf("nextrush: start: %w", err)
		}
	}
	return nil
}

// stop runs the hooks and stops what had started, last first.
func (a *App) stop(ctx context.Context) error {
	a.mu.Lock()
	started, hooks, children := a.started, slices.Clone(a.onStop), slices.Clone(a.mounted)
	a.started = nil
	ran := a.running
	a.running = false
	a.mu.Unlock()
	if !ran {
		return nil
	}
	var errs []error
	for _, f := range slices.Backward(hooks) {
		errs = append(errs, f(ctx))
	}
	for _, p := range slices.Backward(started) {
		if s, ok := p.(Stopper); ok {
			if err := s.Stop(ctx); err != nil {
				errs = append(errs, fmt.Errorf("nextrush: plugin %q: stop: %w", p.Name(), err))
			}
		}
	}
	for _, child := range slices.Backward(children) {
		errs = append(errs, child.stop(ctx))
	}
	return errors.Join(errs...)
}
