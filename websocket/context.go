package websocket

import (
	"context"
	"time"
)

// Context ends with the socket; its cause is the *CloseError. It carries the
// request's values, not the request's cancellation.
func (s *Socket) Context() context.Context { return (*socketContext)(s) }

// socketContext is a socket as a context, which costs nothing before it is used.
type socketContext Socket

// life is the context that has been made for a socket.
type life struct {
	context.Context
	cancel context.CancelCauseFunc
}

func (c *socketContext) use() *life {
	s := (*Socket)(c)
	l, over := s.makeLife()
	if over {
		l.cancel(s.end())
	}
	return l
}

// makeLife makes the context if there is none, and reports whether it is new and the
// socket has ended.
func (s *Socket) makeLife() (l *life, over bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, ok := s.ctx.(*life); ok {
		return l, false
	}
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(s.ctx))
	l = &life{ctx, cancel}
	s.ctx = l
	return l, s.presence == left
}

func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *socketContext) Done() <-chan struct{}       { return c.use().Done() }
func (c *socketContext) Err() error                  { return c.use().Err() }
func (c *socketContext) Value(key any) any           { return c.use().Value(key) }
