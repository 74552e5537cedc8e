package lifecycle

import (
	"context"
	"sync/atomic"
)

// once does something for the first of its callers. The others wait for it, but no
// longer than their contexts last: one may be a hook that the first one waits for.
type once struct {
	begun atomic.Bool
	done  chan struct{} // closed when it is done
	err   error         // that it ended with
}

// succeeded reports whether the first caller's function has returned without an error.
func (o *once) succeeded() bool {
	select {
	case <-o.done:
		return o.err == nil
	default:
		return false
	}
}

// do runs f for the first caller, and returns what f returned, or the error of ctx.
func (o *once) do(ctx context.Context, f func(context.Context) error) error {
	if o.begun.CompareAndSwap(false, true) {
		defer close(o.done)
		o.err = f(ctx)
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
