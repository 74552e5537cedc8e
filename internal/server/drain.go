package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/contain"
)

const (
	drainNotice = time.Second // what ends sooner is not worth a line in the log
	drainNamed  = 10          // routes that the log names
)

// Drain closes the server and waits for its requests and the connections that handlers
// have taken. Halfway through the time that ctx leaves, or through ShutdownTimeout if it
// has no deadline, the contexts of requests end. What is left when ctx ends is cut, which
// is an error.
func (s *Server) Drain(ctx context.Context) error {
	s.Close()
	s.mu.Lock()
	server := s.http
	s.mu.Unlock()
	if server == nil {
		return s.taken.Shutdown(ctx)
	}
	taken := make(chan error, 1)
	go func() { taken <- s.taken.Shutdown(ctx) }()
	err := s.drainRequests(ctx, server)
	return errors.Join(<-taken, err)
}

func (s *Server) drainRequests(ctx context.Context, server *http.Server) error {
	done, watched := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(watched)
		s.watchDrain(ctx, done)
	}()
	s.finishConns(ctx, server)
	err := errors.Join(server.Shutdown(ctx), s.finishLoop(ctx))
	close(done)
	<-watched
	if err != nil {
		err = fmt.Errorf("nextrush: shutdown: requests were cut: %s: %w", s.config.Running(), err)
		server.Close()
		s.closeLoop()
	}
	s.endAll()
	return err
}

// endAll ends the contexts of all requests.
func (s *Server) endAll() {
	s.endRequests(http.ErrServerClosed)
	if l := s.loopServer(); l != nil {
		l.EndRequests()
	}
}

// firstRequest is how long a connection may wait with its first request; net/http waits
// as long for one when it shuts down.
const firstRequest = 5 * time.Second

// finishConns answers the requests of the connections that have been accepted. After
// http.Server.Shutdown the server drops every request that it reads, unanswered.
func (s *Server) finishConns(ctx context.Context, server *http.Server) {
	s.mu.Lock()
	listeners := s.listeners
	s.mu.Unlock()
	for _, ln := range listeners {
		ln.Close()
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		s.finishLoop(ctx)
	}()
	defer func() { <-finished }()
	s.accepting.Wait()
	server.SetKeepAlivesEnabled(false)
	timer := time.NewTimer(firstRequest)
	defer timer.Stop()
	for s.open.Load() > 0 {
		select {
		case <-s.last:
		case <-timer.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) watchDrain(ctx context.Context, done <-chan struct{}) {
	half := s.config.ShutdownTimeout / 2
	if deadline, ok := ctx.Deadline(); ok {
		half = time.Until(deadline) / 2
	}
	notice := min(drainNotice, half/2)
	select {
	case <-done:
		return
	case <-time.After(notice):
	}
	contain.Run(func() { s.config.Log().Info("shutdown: waiting for requests", "requests", s.config.Running()) })
	select {
	case <-done:
		return
	case <-time.After(half - notice):
	}
	contain.Run(func() {
		s.config.Log().Warn("shutdown: half of the time is over, and requests are left: their contexts end", "requests", s.config.Running())
	})
	s.endAll()
}

// EndedBy reports an error that comes of the end of a request's context by Drain.
func EndedBy(ctx context.Context, err error) bool {
	return errors.Is(err, context.Canceled) && context.Cause(ctx) == http.ErrServerClosed
}

// Count is how many requests run for the same route.
type Count struct {
	N    int64
	What string
}

// Names tells how many requests run, those of the busiest routes first.
func Names(counts []Count) string {
	counts = slices.DeleteFunc(counts, func(c Count) bool { return c.N <= 0 })
	slices.SortFunc(counts, func(a, b Count) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.What, b.What)) })
	var parts []string
	for i, c := range counts {
		if i == drainNamed {
			parts = append(parts, fmt.Sprintf("those of %d other routes", len(counts)-i))
			break
		}
		parts = append(parts, fmt.Sprintf("%d of %s", c.N, c.What))
	}
	return cmp.Or(strings.Join(parts, ", "), "none in a handler")
}
