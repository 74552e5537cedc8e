// Package hook runs what a program has registered for the start or the end of an app,
// which may panic, end its goroutine, or not return.
package hook

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// grace is what a hook gets at least, also if the time for the whole shutdown is up
// when it begins: to close a file, not to wait for somebody.
const grace = time.Second

var errGoexit = errors.New("it has ended its goroutine (runtime.Goexit)")

// Run runs f in a goroutine of its own and waits for it, but not much longer than ctx
// lasts. runtime.Goexit is an error, and so is a panic: the one that panicked makes of
// its value, in the deferred function that recovered it.
func Run(ctx context.Context, f func(context.Context) error, panicked func(v any) error) error {
	result := make(chan error, 1)
	go func() {
		err := errGoexit
		defer func() {
			if v := recover(); v != nil {
				err = panicked(v)
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
	late := time.NewTimer(grace)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
		return fmt.Errorf("it still runs: %w", ctx.Err())
	}
}

// Once does something for the first of its callers. The others wait for it, but no
// longer than their contexts last: one may be a hook that the first one waits for.
type Once struct {
	begun atomic.Bool
	done  chan struct{} // closed when it is done
	err   error         // that it ended with
}

// NewOnce returns a Once that nobody has called.
func NewOnce() *Once { return &Once{done: make(chan struct{})} }

// Done is closed when the first caller's function has returned.
func (o *Once) Done() <-chan struct{} { return o.done }

// Succeeded reports whether the first caller's function has returned without an error.
func (o *Once) Succeeded() bool {
	select {
	case <-o.done:
		return o.err == nil
	default:
		return false
	}
}

// Do runs f for the first caller, and returns what f returned, or the error of ctx.
func (o *Once) Do(ctx context.Context, f func() error) error {
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
