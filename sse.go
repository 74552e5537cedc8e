package nextrush

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/nextrush/nextrush/internal/eventstream"
	"github.com/nextrush/nextrush/internal/record"
)

// SSE is a stream of server-sent events (WHATWG HTML §9.2). Its methods are
// safe from any goroutine until the function given to Context.SSE returns. When
// nothing was sent for 15 seconds it sends a comment, which keeps proxies from
// closing the stream and finds out whether the client is still there.
type SSE struct {
	stream *eventstream.Stream
	lastID string
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
// http.Server.WriteTimeout; a write that takes 9 to 10 seconds ends it. A HEAD gets the
// header, and f does not run.
//
// If middleware has put a writer around the server's that has neither Flush nor Unwrap,
// events could only be sent at the end. That is an error, and f does not run.
func (c *Context) SSE(f func(*SSE) error) error {
	if err := record.CanFlush(c.w); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	c.begin("", -1)
	if c.req.Method == http.MethodHead {
		return nil
	}
	stream, err := eventstream.Open(c.req, c.app.Context(), c.w, func(v any) error { return asPanicError(v) })
	if err != nil {
		return fmt.Errorf("nextrush: SSE: %w", record.Lacks(c.w, "Flush", err))
	}
	defer stream.Close()
	err = f(&SSE{stream, c.Header("Last-Event-Id")})
	if broke := stream.Close(); broke != nil {
		return broke
	}
	return err
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

func (s *SSE) write(b []byte) error {
	if err := s.stream.Write(b); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	return nil
}

// LastEventID is the last id that the client got before it reconnected, or "".
func (s *SSE) LastEventID() string { return s.lastID }

// Context ends when the client goes and when the app shuts down.
func (s *SSE) Context() context.Context { return s.stream.Context() }
