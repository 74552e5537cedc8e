package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
)

// Install adds a plugin, which install installs, unless there is one of its name.
func (l *Life) Install(p Plugin, install func() error) error {
	name := p.Name()
	if l.Plugin(name) != nil {
		return fmt.Errorf("nextrush: plugin %q is registered twice: remove one of the two", name)
	}
	if err := install(); err != nil {
		return fmt.Errorf("nextrush: plugin %q: install: %w", name, err)
	}
	l.plugins = append(l.plugins, p)
	return nil
}

// Plugin returns the plugin of that name, or nil.
func (l *Life) Plugin(name string) Plugin {
	for _, p := range l.plugins {
		if p.Name() == name {
			return p
		}
	}
	return nil
}

// startPlugins starts them in order. When one fails, those before it are stopped.
func (l *Life) startPlugins(ctx context.Context) error {
	for i, p := range l.plugins {
		s, ok := p.(interface{ Start(context.Context) error })
		if !ok {
			continue
		}
		if err := l.run(ctx, s.Start); err != nil {
			err = fmt.Errorf("nextrush: plugin %q: start: %w", p.Name(), err)
			return errors.Join(err, l.stopPlugins(ctx, l.plugins[:i]))
		}
	}
	return nil
}

func (l *Life) stopPlugins(ctx context.Context, plugins []Plugin) error {
	var errs []error
	for _, p := range slices.Backward(plugins) {
		s, ok := p.(interface{ Stop(context.Context) error })
		if !ok {
			continue
		}
		if err := l.run(ctx, s.Stop); err != nil {
			errs = append(errs, fmt.Errorf("nextrush: plugin %q: stop: %w", p.Name(), err))
		}
	}
	return errors.Join(errs...)
}
