// Package breaker stops asking a server that fails, so that it can recover, and its
// clients get an answer at once. It is built on github.com/sony/gobreaker.
//
//	b := breaker.New(breaker.Options{})
//	app.Any("/api/*path", b.Handle, middleware.ReverseProxy("http://localhost:8080"))
//
// After some failures in a row the breaker opens: requests get 503 with Retry-After, and
// the handlers after it do not run. Then some are let through on trial. If they succeed it
// closes, and if one fails it opens again.
package breaker

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// Options configures a Breaker. The zero value is complete.
type Options struct {
	Name     string        // in the log
	Failures int           // in a row, which open it; 0: 5
	Open     time.Duration // for which it stays open; 0: 30 s
	Trials   int           // requests that are let through then, and have to succeed; 0: 1
	// Failed reports whether a request has failed; err is what the handlers returned; nil:
	// if it is answered with a status of 500 or above. A panic has failed in any case, and
	// a request whose client has gone does not count.
	Failed func(c *nextrush.Context, err error) bool
}

// Breaker guards what one server does for an App. Its methods are safe from any goroutine.
type Breaker struct {
	opts    Options
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	opened  atomic.Int64 // Unix time in nanoseconds
	changed atomic.Bool  // since it was last logged
}

// New makes a closed breaker. It panics if a number in the options is negative.
func New(opts ...Options) *Breaker {
	o := opt.First(opts)
	if o.Failures < 0 || o.Open < 0 || o.Trials < 0 {
		panic("breaker: Failures, Open or Trials is negative: leave it out")
	}
	o.Failures, o.Open = cmp.Or(o.Failures, 5), cmp.Or(o.Open, 30*time.Second)
	if o.Failed == nil {
		o.Failed = failed
	}
	b := &Breaker{opts: o}
	b.breaker = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
		Name:        o.Name,
		MaxRequests: uint32(o.Trials), // 0: 1
		Timeout:     o.Open,
		ReadyToTrip: func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= uint32(o.Failures) },
		IsExcluded:  func(err error) bool { return err == errNotCounted },
		OnStateChange: func(_ string, _, to gobreaker.State) {
			if to == gobreaker.StateOpen {
				b.opened.Store(time.Now().UnixNano())
			}
			b.changed.Store(true)
		},
	})
	return b
}

// State is "closed", "half-open" or "open".
func (b *Breaker) State() string { return b.breaker.State().String() }

// What a request has come to.
var (
	errFailed     = errors.New("breaker: the request has failed")
	errNotCounted = errors.New("breaker: the request does not count")
)

// Handle is the middleware. WebSockets and streams of server-sent events, which last for
// long, are refused while the breaker is open, and do not count.
func (b *Breaker) Handle(c *nextrush.Context) error {
	if lasting(c) {
		if b.breaker.State() == gobreaker.StateOpen {
			return b.refuse(gobreaker.ErrOpenState)
		}
		return c.Next()
	}
	done, err := b.breaker.Allow()
	if err != nil {
		return b.refuse(err)
	}
	outcome := errFailed // of a panic
	defer func() {
		done(outcome)
		b.log(c)
	}()
	err = c.Next()
	switch {
	case errors.Is(err, context.Canceled) && c.Context().Err() != nil:
		outcome = errNotCounted
	case !b.opts.Failed(c, err):
		outcome = nil
	}
	return err
}

func failed(c *nextrush.Context, err error) bool {
	return nextrush.StatusOf(err) >= 500 || c.StatusCode() >= 500
}

func lasting(c *nextrush.Context) bool {
	return c.Header("Upgrade") != "" || strings.Contains(c.Header("Accept"), "text/event-stream")
}

func (b *Breaker) refuse(cause error) error {
	wait := b.opts.Open - time.Since(time.Unix(0, b.opened.Load()))
	seconds := max(1, int((wait+time.Second-1)/time.Second))
	return nextrush.NewError(http.StatusServiceUnavailable).WithCause(cause).WithHeader("Retry-After", strconv.Itoa(seconds))
}

// log tells of a change. gobreaker reports it under its lock, where the log must not run.
func (b *Breaker) log(c *nextrush.Context) {
	if b.changed.Swap(false) {
		c.Log().Warn("circuit breaker", "name", b.opts.Name, "state", b.State())
	}
}
