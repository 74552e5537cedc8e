package eventstream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	heartbeat    = 15 * time.Second // shorter than the idle time-outs of proxies
	writeTimeout = 10 * time.Second // of one write, to a client that does not read
	renewal      = time.Second      // how much sooner it may come, for to set it at each event would cost more
)

// Stream is a response of events. Its methods are safe from any goroutine. When nothing
// was sent for 15 seconds it sends a comment.
type Stream struct {
	ctx      context.Context
	cancel   context.CancelFunc
	w        http.ResponseWriter
	out      *http.ResponseController
	panicked func(v any) error
	undo     []func() bool // what ends it with others
	keeps    bool          // a write deadline that passes while nothing is sent does nothing

	mu    sync.Mutex // guards the writer and what follows
	end   bool
	broke error // of a heartbeat
	beat  *time.Timer
	last  time.Time // when something was sent
	since time.Time // when the write deadline was set
}

// Open begins a stream in a response whose header is complete. It ends with the request's context,
// but not with a deadline of that, and with closing. panicked makes an error of the value
// of a panic in a writer, in the deferred function that has recovered it.
func Open(r *http.Request, closing context.Context, w http.ResponseWriter, panicked func(v any) error) (*Stream, error) {
	s := &Stream{w: w, out: http.NewResponseController(w), panicked: panicked, keeps: r.ProtoMajor == 1 && r.TLS == nil}
	ctx := r.Context()
	s.ctx, s.cancel = context.WithCancel(context.WithoutCancel(ctx))
	s.undo = append(s.undo, context.AfterFunc(closing, s.cancel), context.AfterFunc(ctx, func() {
		if ctx.Err() != context.DeadlineExceeded {
			s.cancel()
		}
	}))
	s.beat = time.AfterFunc(heartbeat, s.heartbeat)
	opened := false
	defer func() { // also on the way up of a panic
		if !opened {
			s.Close()
		}
	}()
	if err := s.Write(nil); err != nil {
		return nil, err
	}
	opened = true
	return s, nil
}

// heartbeat runs in a goroutine of its own. A writer that middleware has put around
// the server's may panic in it, which ends the stream and is the error of Close.
func (s *Stream) heartbeat() {
	if s.waitsOn() {
		return
	}
	defer func() {
		if v := recover(); v != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if !s.end {
				s.broke = s.panicked(v)
				s.cancel()
			}
		}
	}()
	if s.Write(Comment("")) == nil {
		s.waitsOn()
	}
}

// waitsOn has the heartbeat come later if something was sent meanwhile. To set the timer
// at each event would cost more.
func (s *Stream) waitsOn() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	rest := heartbeat - time.Since(s.last)
	if s.end || rest <= 0 {
		return s.end
	}
	s.beat.Reset(rest)
	return true
}

// Close ends the stream, and returns what a heartbeat has ended it with.
func (s *Stream) Close() error {
	s.cancel()
	for _, undo := range s.undo {
		undo()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.keeps && !s.end {
		s.out.SetWriteDeadline(time.Time{}) // which net/http would keep for the next answer
	}
	s.end = true
	s.beat.Stop()
	return s.broke
}

// Context ends when the client goes, and with the stream.
func (s *Stream) Context() context.Context { return s.ctx }

// Write sends b at once. An error ends the stream.
func (s *Stream) Write(b []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end {
		return errors.New("the stream has ended")
	}
	if err := s.ctx.Err(); err != nil {
		return err
	}
	s.last = time.Now()
	if !s.keeps { // HTTP/2 ends even a stream at rest, and TLS may write by itself
		defer s.out.SetWriteDeadline(time.Time{})
	}
	if !s.keeps || s.last.Sub(s.since) > renewal {
		s.since = s.last
		s.out.SetWriteDeadline(s.last.Add(writeTimeout)) // not every writer can
	}
	_, err := s.w.Write(b)
	if err == nil {
		err = s.out.Flush()
	}
	if err != nil {
		s.cancel()
		return err
	}
	return nil
}
