package nextrush

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/contain"
)

// hookGrace is what a hook or plugin gets at least, also if the time for the whole
// shutdown is up when it begins: to close a file, not to wait for somebody.
const hookGrace = time.Second

var errGoexit = errors.New("it has ended its goroutine (runtime.Goexit)")

// runHook runs f in a goroutine of its own and waits for it, but not much longer
// than ctx lasts. A panic, which is logged with its stack, and runtime.Goexit are errors.
func (a *App) runHook(ctx context.Context, f func(context.Context) error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if v := recover(); v != nil {
				p := &PanicError{Value: v, Stack: debug.Stack()}
				contain.Run(func() { a.log().Error("panic in a hook", "error", p, "stack", string(p.Stack)) })
				err = p
			}
			result <- err
		}()
		err = f(ctx)
	}()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	grace := time.NewTimer(hookGrace)
	defer grace.Stop()
	select {
	case err := <-result:
		return err
	case <-grace.C:
		return fmt.Errorf("it still runs: %w", ctx.Err())
	}
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

// once does something for the first of its callers. The others wait for it, but no
// longer than their contexts last: one may be a hook that the first one waits for.
type once struct {
	begun atomic.Bool
	done  chan struct{} // closed when it is done
	err   error         // that it ended with
}

func (o *once) do(ctx context.Context, f func() error) error {
	if o.begun.CompareAndSwap(false, true) {
		defer close(o.done)
		o.err = f()
		return o.err
	}
	select {
	case <-o.done:
		return o.err
	default:
	}
	select {
	case <-o.done:
		return o.err
	case <-ctx.Done():
		return ctx.Err()
	}
}
