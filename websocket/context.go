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

func (l *life) end(err error) {
	if l != nil {
		l.cancel(err)
	}
}

func (c *socketContext) use() *life {
	s := (*Socket)(c)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.life == nil {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(s.base))
		s.life = &life{ctx, cancel}
		if s.state == StateClosed {
			cancel(s.closing.err())
		}
	}
	return s.life
}

func (c *socketContext) Deadline() (time.Time, bool) { return time.Time{}, false }
func (c *socketContext) Done() <-chan struct{}       { return c.use().Done() }
func (c *socketContext) Err() error                  { return c.use().Err() }
func (c *socketContext) Value(key any) any           { return c.use().Value(key) }
