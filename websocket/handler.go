package websocket

import (
	"context"
	"errors"

	"github.com/nextrush/nextrush/internal/loop"
)

// handling is the task that runs the handler of a socket.
type handling struct {
	s       *Socket
	handler func(*Socket) error
}

// Run runs OnConnection and the handler. The socket begins to read when they have
// returned, unless somebody waits for a message already.
func (h *handling) Run(*loop.Worker) {
	s := h.s
	defer s.conn.HandlerDone() // also if the handler ends the goroutine
	s.conn.Flush()
	if s.conn.Awaited() || s.events.Load().Awaited() {
		s.conn.Begin()
	}
	if f := s.ns.opts.OnConnection; f != nil {
		s.protect(func() { f(s) })
	}
	if h.handler == nil {
		return
	}
	s.protect(func() {
		if err := h.handler(s); err != nil {
			s.handlerFailed(err)
		}
	})
}

// handlerFailed closes with the error's own code, or 1011. The end of the
// socket itself is not a failure of the handler.
func (s *Socket) handlerFailed(err error) {
	var end *CloseError
	switch {
	case s.State() == StateClosed, errors.Is(err, ErrClosed) && !errors.As(err, &end):
		return
	case errors.Is(err, context.Canceled) && s.State() != StateOpen:
		return
	case s.closedBy(err):
		return
	}
	s.abort(err)
}

// closedBy closes with the code of a *CloseError, or 1011 if that must not be sent:
// it is how another connection has ended. It reports false for another error.
func (s *Socket) closedBy(err error) bool {
	var end *CloseError
	if !errors.As(err, &end) {
		return errors.Is(err, ErrUserLimit) // which has closed it
	}
	if s.Close(end.Code, end.Reason) != nil {
		s.abort(err)
	}
	return true
}

// abort closes with 1011 because of an error of the program's.
func (s *Socket) abort(err error) {
	s.ns.log(s).Error("websocket: handler failed", "error", err)
	s.conn.Abort(err)
}
