package nextrush

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/contain"
)

const (
	drainNotice = time.Second // what ends sooner is not worth a line in the log
	drainNamed  = 10          // routes that the log names
)

// Context ends when the app begins to drain: once the BeforeShutdown hooks have
// returned. A handler that waits for long, as a poll or a stream does, should
// return then; Context.Context ends only halfway through the time that Shutdown
// has left. Both have the cause http.ErrServerClosed. It is safe from any goroutine.
func (a *App) Context() context.Context { return a.life.closing }

// drainRequests ends the server and waits for its requests. Halfway through the
// time that ctx leaves, or through Options.ShutdownTimeout where it has no deadline,
// the contexts of those that are left end.
func (a *App) drainRequests(ctx context.Context, server *http.Server) error {
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		a.watchDrain(ctx, done)
	}()
	err := server.Shutdown(ctx)
	close(done)
	<-watched
	if err != nil {
		err = fmt.Errorf("nextrush: shutdown: requests were cut: %s: %w", a.running(), err)
		server.Close()
	}
	a.life.endRequests(http.ErrServerClosed)
	return err
}

func (a *App) watchDrain(ctx context.Context, done <-chan struct{}) {
	half := a.opts.ShutdownTimeout / 2
	if deadline, ok := ctx.Deadline(); ok {
		half = time.Until(deadline) / 2
	}
	notice := min(drainNotice, half/2)
	select {
	case <-done:
		return
	case <-time.After(notice):
	}
	contain.Run(func() { a.log().Info("shutdown: waiting for requests", "requests", a.running()) })
	select {
	case <-done:
		return
	case <-time.After(half - notice):
	}
	contain.Run(func() {
		a.log().Warn("shutdown: half of the time is over, and requests are left: their contexts end", "requests", a.running())
	})
	a.life.endRequests(http.ErrServerClosed)
}

// running tells how many requests run, by route.
func (a *App) running() string {
	type count struct {
		n    int64
		what string
	}
	counts := []count{{a.life.unrouted.Load(), "no route"}}
	a.mu.Lock()
	for _, rt := range a.all {
		counts = append(counts, count{rt.running.Load(), cmp.Or(rt.method, "ANY") + " " + rt.Path()})
	}
	a.mu.Unlock()
	counts = slices.DeleteFunc(counts, func(c count) bool { return c.n <= 0 })
	slices.SortFunc(counts, func(a, b count) int { return cmp.Or(cmp.Compare(b.n, a.n), cmp.Compare(a.what, b.what)) })
	var parts []string
	for i, c := range counts {
		if i == drainNamed {
			parts = append(parts, fmt.Sprintf("those of %d other routes", len(counts)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d of %s", c.n, c.what))
	}
	return cmp.Or(strings.Join(parts, ", "), "none in a handler")
}

// counter counts the requests that run for the same route.
func (c *Context) counter() *atomic.Int64 {
	if rt := c.matched(); rt != nil {
		return &rt.running
	}
	return &c.app.life.unrouted
}

// endedByShutdown reports an error that comes of the end of a request's context at
// shutdown.
func (c *Context) endedByShutdown(err error) bool {
	return errors.Is(err, context.Canceled) && context.Cause(c.req.Context()) == http.ErrServerClosed
}

// interrupt ends a read that waits, where the reader may be interrupted from
// another goroutine. Of other types nobody knows.
func interrupt(r io.Reader) {
	switch r := r.(type) {
	case *io.PipeReader:
		r.Close()
	case *os.File:
		r.SetReadDeadline(time.Unix(1, 0))
	}
}
