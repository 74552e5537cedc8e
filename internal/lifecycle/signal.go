package lifecycle

import (
	"context"
	"errors"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// UntilSignal serves until SIGINT or SIGTERM, and then shuts down within the time given,
// after a call of stopping. serve, which calls Start, returns when it cannot go on or when
// Shutdown is done; if that came before it could begin, it returns http.ErrServerClosed.
func (l *Life) UntilSignal(serve func(context.Context) error, timeout time.Duration, stopping func()) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if l.Start(ctx) != nil { // before a shutdown can begin, which stops what has started
		return serve(ctx) // the same error, after it has closed its listener
	}
	result := make(chan error, 1)
	go func() { result <- serve(ctx) }()
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	stop() // a second signal ends the process
	stopping()
	within, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	err := l.Shutdown(within)
	served := <-result
	if errors.Is(served, http.ErrServerClosed) { // the signal came before the first Accept
		served = nil
	}
	return errors.Join(err, served)
}
