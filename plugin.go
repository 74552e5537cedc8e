package nextrush

import (
	"context"
	"errors"
	"fmt"
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
			a.life.failed = errors.Join(a.life.failed, err)
			return err
		}
	}
	return nil
}

func (a *App) install(p Plugin) error {
	name := p.Name()
	if a.Plugin(name) != nil {
		return fmt.Errorf("nextrush: plugin %q is registered twice: remove one of the two", name)
	}
	if err := p.Install(a); err != nil {
		return fmt.Errorf("nextrush: plugin %q: install: %w", name, err)
	}
	a.life.plugins = append(a.life.plugins, p)
	return nil
}

// Plugin returns the plugin registered under that name, or nil.
func (a *App) Plugin(name string) Plugin {
	for _, p := range a.life.plugins {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// startPlugins starts them in order. When one fails, those before it are stopped.
func (a *App) startPlugins(ctx context.Context) error {
	for i, p := range a.life.plugins {
		s, ok := p.(Starter)
		if !ok {
			continue
		}
		if err := a.runHook(ctx, s.Start); err != nil {
			err = fmt.Errorf("nextrush: plugin %q: start: %w", p.Name(), err)
			return errors.Join(err, a.stopPlugins(ctx, a.life.plugins[:i]))
		}
	}
	return nil
}

func (a *App) stopPlugins(ctx context.Context, plugins []Plugin) error {
	var errs []error
	for i := len(plugins) - 1; i >= 0; i-- {
		s, ok := plugins[i].(Stopper)
		if !ok {
			continue
		}
		if err := a.runHook(ctx, s.Stop); err != nil {
			errs = append(errs, fmt.Errorf("nextrush: plugin %q: stop: %w", plugins[i].Name(), err))
		}
	}
	return errors.Join(errs...)
}
