package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// grace is what a hook gets at least, also if the time for the whole shutdown is up
// when it begins: to close a file, not to wait for somebody.
const grace = time.Second

var errGoexit = errors.New("it has ended its goroutine (runtime.Goexit)")

// run runs f in a goroutine of its own and waits for it, but not much longer than ctx
// lasts. runtime.Goexit is an error, and so is a panic: the one that panicked makes of
// its value, in the deferred function that recovered it.
func run(ctx context.Context, f func(context.Context) error, panicked func(v any) error) error {
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
