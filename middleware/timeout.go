package middleware

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/nextrush/nextrush"
)

// Timeout ends the request's context after d. A handler that then returns an
// error which is context.DeadlineExceeded, without an answer begun, is answered
// with 503. One that does not look at its context runs on: no other goroutine
// answers in its place. Streams of Context.SSE, and WebSockets of App.WS and
// ReverseProxy, go on. It panics if d is not positive.
func Timeout(d time.Duration) nextrush.Handler {
	if d <= 0 {
		panic("middleware: Timeout: the duration is not positive: give the time that a handler may take")
	}
	return func(c *nextrush.Context) error {
		outer := c.Context()
		ctx, cancel := context.WithTimeout(outer, d)
		defer cancel()
		c.SetContext(ctx)
		err := c.Next()
		c.SetContext(outer)
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == context.DeadlineExceeded {
			return nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
		}
		return err
	}
}
