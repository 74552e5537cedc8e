package middleware

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// ConcurrencyOptions configures Concurrency.
type ConcurrencyOptions struct {
	Max        int           // requests in flight; 0: 1,000
	Queue      int           // requests that wait for one to end; 0: as many as Max; negative: none
	MaxWait    time.Duration // of a request in the queue; 0: 5 s
	RetryAfter time.Duration // what clients that are sent away are told, in whole seconds; 0: 1 s
}

// Concurrency bounds the requests in flight. Those above wait their turn, first
// come, first served; when the queue is full or the wait too long they get 503
// with Retry-After. A request whose client has gone stops waiting, which the server
// notices on HTTP/1 only if the request has no body left to read. A WebSocket
// counts until its upgrade is done: see websocket.Options.MaxConnections. It
// panics on a mistake in the options.
func Concurrency(opts ...ConcurrencyOptions) nextrush.Handler {
	o := opt.First(opts).withDefaults()
	slots := &slots{
		taken:   make(chan struct{}, o.Max),
		waiting: make(chan struct{}, max(0, o.Queue)),
		maxWait: o.MaxWait,
	}
	return func(c *nextrush.Context) error {
		switch err := slots.take(c.Context()); {
		case errors.Is(err, context.Canceled):
			return nextrush.NewError(statusClientClosed, "the client has gone").WithCause(err)
		case err != nil:
			return retryLater(http.StatusServiceUnavailable, o.RetryAfter).WithCause(err)
		}
		defer slots.release()
		return c.Next()
	}
}

// statusClientClosed is nginx's, for logs: nobody is there to read it.
const statusClientClosed = 499

func (o ConcurrencyOptions) withDefaults() ConcurrencyOptions {
	if o.Max < 0 || o.MaxWait < 0 || o.RetryAfter < 0 {
		panic("middleware: Concurrency: Max, MaxWait or RetryAfter is negative: leave it out")
	}
	o.Max = cmp.Or(o.Max, 1000)
	o.Queue = cmp.Or(o.Queue, o.Max)
	o.MaxWait = cmp.Or(o.MaxWait, 5*time.Second)
	o.RetryAfter = cmp.Or(o.RetryAfter, time.Second)
	return o
}

// slots is a semaphore. Those that wait to send on a channel are served in order,
// and who comes when one is freed finds it given to the first of them.
type slots struct {
	taken   chan struct{}
	waiting chan struct{}
	maxWait time.Duration
}

var (
	errQueueFull   = errors.New("middleware: Concurrency: the queue is full")
	errWaitTooLong = errors.New("middleware: Concurrency: waited too long")
)

func (s *slots) take(ctx context.Context) error {
	select {
	case s.taken <- struct{}{}:
		return nil
	default:
	}
	select {
	case s.waiting <- struct{}{}:
		defer func() { <-s.waiting }()
	default:
		return errQueueFull
	}
	timeout := time.NewTimer(s.maxWait)
	defer timeout.Stop()
	select {
	case s.taken <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timeout.C:
		return errWaitTooLong
	}
}

func (s *slots) release() { <-s.taken }
