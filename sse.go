package nextrush

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/eventstream"
	"github.com/nextrush/nextrush/internal/record"
)

const (
	sseHeartbeat    = 15 * time.Second // shorter than the idle time-outs of proxies
	sseWriteTimeout = 10 * time.Second // of one write, to a client that does not read
)

// SSE is a stream of server-sent events (WHATWG HTML §9.2). Its methods are
// safe from any goroutine until the function given to Context.SSE returns. When
// nothing was sent for 15 seconds it sends a comment, which keeps proxies from
// closing the stream and finds out whether the client is still there.
type SSE struct {
	c      *Context
	ctx    context.Context
	cancel context.CancelFunc
	out    *http.ResponseController
	mu     sync.Mutex // guards the writer and what follows
	end    bool
	broke  error // of a heartbeat
	beat   *time.Timer
}

// SSEEvent is one server-sent event.
type SSEEvent struct {
	ID    string
	Name  string        // empty: "message"
	Data  any           // a string or []byte as it is, anything else as JSON
	Retry time.Duration // the client's wait before it reconnects, in whole milliseconds; 0: its own
}

// SSE answers with a stream of events for as long as f runs. f should return when the
// stream's Context ends. The stream outlives a deadline of the request's context and
// http.Server.WriteTimeout; a write that takes 10 seconds ends it. A HEAD gets the
// header, and f does not run.
//
// If middleware has put a writer around net/http's that has neither Flush nor Unwrap,
// events could only be sent at the end. That is an error, and f does not run.
func (c *Context) SSE(f func(*SSE) error) error {
	if err := record.CanFlush(c.w); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	if c.req.Method == http.MethodHead {
		c.begin("")
		return nil
	}
	s := c.newSSE()
	defer s.close()
	defer context.AfterFunc(c.app.Context(), s.cancel)()
	ctx := c.Context()
	defer context.AfterFunc(ctx, func() {
		if ctx.Err() != context.DeadlineExceeded {
			s.cancel()
		}
	})()
	c.begin("")
	if err := s.write(nil); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", record.Lacks(c.w, "Flush", err))
	}
	err := f(s)
	if s.close(); s.broke != nil {
		return s.broke
	}
	return err
}

func (c *Context) newSSE() *SSE {
	s := &SSE{c: c, out: http.NewResponseController(c.w)}
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(c.Context()))
	s.beat = time.AfterFunc(sseHeartbeat, s.heartbeat)
	return s
}

// heartbeat runs in a goroutine of its own. A writer that middleware has put around
// net/http's may panic in it, which ends the stream and is the error of SSE.
func (s *SSE) heartbeat() {
	defer func() {
		if v := recover(); v != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.end {
				s.broke = asPanicError(v)
				s.cancel()
			}
		}
	}()
	s.Comment("")
}

func (s *SSE) close() {
	s.cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end = true
	s.beat.Stop()
}

// Send sends data as a "message".
func (s *SSE) Send(data any) error { return s.Event(SSEEvent{Data: data}) }

// Event sends an event. An id or name with a line break is an error.
func (s *SSE) Event(e SSEEvent) error {
	b, err := eventstream.Encode(e.ID, e.Name, e.Data, e.Retry)
	if err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	return s.write(b)
}

// Comment sends what clients ignore.
func (s *SSE) Comment(text string) error { return s.write(eventstream.Comment(text)) }

// LastEventID is the id of the last event that the client got before it
// reconnected, or "".
func (s *SSE) LastEventID() string { return s.c.Header("Last-Event-Id") }

// Context ends when the client goes and when the app shuts down.
func (s *SSE) Context() context.Context { return s.ctx }

func (s *SSE) write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end {
		return fmt.Errorf("nextrush: SSE: the stream has ended")
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.out.SetWriteDeadline(time.Now().Add(sseWriteTimeout)) // not every writer can
	defer s.out.SetWriteDeadline(time.Time{})               // HTTP/2 ends even a stream at rest with it
	_, err := s.c.w.Write(b)
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		s.cancel()
		return err
	}
	s.beat.Reset(sseHeartbeat)
	return nil
}
