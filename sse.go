package nextrush

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// SSE is a stream of server-sent events (WHATWG HTML §9.2). Its methods are
// safe from any goroutine until the function given to Context.SSE returns.
type SSE struct {
	c   *Context
	ctx context.Context
	mu  sync.Mutex // guards the writer
	end bool
}

// Event is one server-sent event.
type Event struct {
	ID    string
	Name  string        // empty: "message"
	Data  any           // a string or []byte as it is, anything else as JSON
	Retry time.Duration // the client's wait before it reconnects, in whole milliseconds; 0: its own
}

// SSE answers with a stream of events for as long as f runs. f should end when
// its stream's Context does.
func (c *Context) SSE(f func(*SSE) error) error {
	h := c.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	c.begin("")
	ctx, cancel := context.WithCancel(c.Context())
	defer cancel()
	defer context.AfterFunc(c.app.life.closing, cancel)()
	s := &SSE{c: c, ctx: ctx}
	defer s.close()
	if err := http.NewResponseController(c.w).Flush(); err != nil {
		return fmt.Errorf("nextrush: SSE: %w", err)
	}
	return f(s)
}

func (s *SSE) close() {
	s.mu.Lock()
	s.end = true
	s.mu.Unlock()
}

// Send sends data as a "message".
func (s *SSE) Send(data any) error { return s.Event(Event{Data: data}) }

// Event sends an event. An id or name with a line break is an error.
func (s *SSE) Event(e Event) error {
	if strings.ContainsAny(e.ID, "\r\n\x00") || strings.ContainsAny(e.Name, "\r\n") {
		return fmt.Errorf("nextrush: SSE: line break in id %q or name %q", e.ID, e.Name)
	}
	data, err := eventData(e.Data)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if e.ID != "" {
		fmt.Fprintf(&b, "id: %s\n", e.ID)
	}
	if e.Name != "" {
		fmt.Fprintf(&b, "event: %s\n", e.Name)
	}
	if e.Retry > 0 {
		fmt.Fprintf(&b, "retry: %d\n", e.Retry.Milliseconds())
	}
	writeLines(&b, "data: ", data)
	return s.write(b.Bytes())
}

// Comment sends what clients ignore; it keeps proxies from closing the stream.
func (s *SSE) Comment(text string) error {
	var b bytes.Buffer
	writeLines(&b, ": ", text)
	return s.write(b.Bytes())
}

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
	if err := s.Context().Err(); err != nil {
		return err
	}
	if _, err := s.c.w.Write(b); err != nil {
		return err
	}
	return http.NewResponseController(s.c.w).Flush()
}

func eventData(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("nextrush: encode JSON: %w", err)
	}
	return string(b), nil
}

var lineBreaks = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// writeLines puts the prefix before each line, and an empty line at the end.
func writeLines(b *bytes.Buffer, prefix, text string) {
	for line := range strings.SplitSeq(lineBreaks.Replace(text), "\n") {
		b.WriteString(prefix + line + "\n")
	}
	b.WriteByte('\n')
}
