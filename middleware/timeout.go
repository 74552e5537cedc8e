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

// TimeoutOptions configures Timeout. The zero value only ends the context.
type TimeoutOptions struct {
	// Abandon answers for a handler that goes on although its context has ended, if it
	// has not begun to answer. It goes on behind the answer: writing and what else is
	// done to the answer fails with http.ErrHandlerTimeout, reading the body may fail, and
	// a panic is logged. What it holds, it holds until it returns, and Shutdown does not
	// wait for it, but logs how many there are. Each request costs a goroutine and a copy
	// of its Context.
	Abandon bool
	// MaxAbandoned is how many handlers of one route may go on like that. While there are
	// so many, requests for the route get 503 at once. 0: 100.
	MaxAbandoned int
}

// Timeout ends the request's context after d. A handler that then returns an
// error which is context.DeadlineExceeded, without an answer begun, is answered
// with 503. One that does not look at its context runs on, and its client waits, unless
// it is to be abandoned. An answer that has begun in time goes on. Streams of Context.SSE,
// and WebSockets of App.WS and ReverseProxy, go on, too. It panics if d is not positive.
func Timeout(d time.Duration, opts ...TimeoutOptions) nextrush.Handler {
	if d <= 0 {
		panic("middleware: Timeout: the duration is not positive: give the time that a handler may take")
	}
	run, o := giveUp, opt.First(opts)
	if o.MaxAbandoned < 0 || o.MaxAbandoned > 0 && !o.Abandon {
		panic("middleware: Timeout: MaxAbandoned is negative, or without Abandon: leave it out")
	}
	if o.Abandon {
		run = (&late{max: cmp.Or(o.MaxAbandoned, 100)}).abandon
	}
	return func(c *nextrush.Context) error {
		outer := c.Context()
		ctx, cancel := context.WithTimeout(outer, d)
		defer cancel()
		c.SetContext(ctx)
		err := run(c)
		c.SetContext(outer)
		return err
	}
}

// giveUp runs the rest of the chain, and makes an error that comes of the context's
// deadline a 503.
func giveUp(c *nextrush.Context) error {
	ctx := c.Context()
	err := c.Next()
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == context.DeadlineExceeded {
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
	}
	return err
}
