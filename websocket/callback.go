package websocket

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// callbacks are those that few sockets have, guarded by the socket's mu. Lists are
// only appended to.
type callbacks struct {
	close []func(StatusCode, string) // taken when they are called
	err   []func(error)
	ping  []func([]byte)
	pong  []func([]byte)
	drain []func()

	seat *seat // of SetUser; nil: none
}

// OnMessage registers f to run with every message that is not an event; nil to stop.
// The message is borrowed until f returns.
func (s *Socket) OnMessage(f func(Message)) {
	if f == nil {
		s.onMessage.Store(nil)
		return
	}
	s.conn.Consume(func() { s.onMessage.Store(&f) })
}

// OnClose registers f to run once when the socket has ended, after the handler
// has returned and all messages were handled: with the peer's code if it closed
// first, with ours if we did, with 1006 if the connection was lost. The socket has
// left its rooms and the server's list by then; Rooms still tells which rooms it was
// in. On a socket that has ended f runs soon.
func (s *Socket) OnClose(f func(code StatusCode, reason string)) {
	s.register(func(c *callbacks) { c.close = append(c.close, f) })
	s.conn.RepeatEnd()
}

// OnError registers f to run with failures of this socket: lost connections,
// protocol errors of the peer, panics and errors of handlers. It runs as the
// other callbacks do, one at a time, and never inside a call of the program's.
func (s *Socket) OnError(f func(error)) {
	s.register(func(c *callbacks) { c.err = append(c.err, f) })
}

// OnPing registers f to run with the payload of every ping; the pong is sent anyway.
func (s *Socket) OnPing(f func([]byte)) {
	s.register(func(c *callbacks) { c.ping = append(c.ping, f) })
}

// OnPong registers f to run with the payload of every pong.
func (s *Socket) OnPong(f func([]byte)) {
	s.register(func(c *callbacks) { c.pong = append(c.pong, f) })
}

// OnDrain registers f to run when the send queue has emptied after the peer had
// been too slow to take it at once, or after Buffered had told that bytes wait.
func (s *Socket) OnDrain(f func()) {
	s.register(func(c *callbacks) { c.drain = append(c.drain, f) })
	s.conn.WatchDrain()
}

func (s *Socket) register(add func(*callbacks)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callbacks == nil {
		s.callbacks = new(callbacks)
	}
	add(s.callbacks)
}

// registered is what has been registered so far, without those of OnClose.
func (s *Socket) registered() (c callbacks) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.callbacks != nil {
		c = *s.callbacks
		c.close = nil
	}
	return c
}

// owner is a socket as its connection sees it: whom to call.
type owner Socket

// Message hands a message to the handlers of its event or to OnMessage.
func (o *owner) Message(op wire.Opcode, data []byte) bool {
	s, m := (*Socket)(o), Message{MessageType(op), data}
	events, f := s.events.Load() != nil, s.onMessage.Load()
	s.ns.debugMessage(s, m)
	if events && s.dispatch(m) {
		return true
	}
	if f != nil {
		s.call(*f, m)
	}
	return f != nil
}

// Offer is Message for one that has waited or comes after one that waits.
func (o *owner) Offer(op wire.Opcode, data []byte, fresh bool) (claim func() func()) {
	s, m := (*Socket)(o), Message{MessageType(op), data}
	if fresh {
		s.ns.debugMessage(s, m)
	}
	env, isEnvelope := s.parse(m)
	return func() func() {
		if isEnvelope {
			if d := s.claim(&env); d.claimed {
				return d.run
			}
		}
		if f := s.onMessage.Load(); f != nil {
			return func() { s.call(*f, m) }
		}
		return nil
	}
}

// Consumes reports whether there is a callback for messages.
func (o *owner) Consumes() bool {
	s := (*Socket)(o)
	return s.onMessage.Load() != nil || s.events.Load().Handles()
}

// Counts is for sessions.
func (o *owner) Counts(wire.Opcode, []byte) bool { return false }

// Parked is for sessions.
func (o *owner) Parked(bool) {}

func (o *owner) Control(op wire.Opcode, data []byte) {
	s := (*Socket)(o)
	c := s.registered()
	list := c.ping
	if op == wire.OpPong {
		list = c.pong
	}
	for _, f := range list {
		s.protect(func() { f(data) })
	}
}

func (o *owner) Drained() {
	s := (*Socket)(o)
	for _, f := range s.registered().drain {
		s.protect(f)
	}
}

func (o *owner) Failed(err error) {
	s := (*Socket)(o)
	for _, f := range s.registered().err {
		s.guard(func() { f(err) })
	}
	if f := s.ns.opts.OnError; f != nil {
		s.guard(func() { f(s, err) })
	}
	if s.ns.opts.Debug {
		s.ns.debug(s, "websocket error", "error", err)
	}
}

// Left takes the socket out of everything that knows it.
func (o *owner) Left() {
	s := (*Socket)(o)
	o.leave()
	if s.ns.srv != nil {
		s.ns.srv.unregister(s)
	}
}

// leave ends the socket's context, and its waiting for replies, and leaves its rooms.
func (o *owner) leave() {
	s := (*Socket)(o)
	end := s.end()
	s.mu.Lock()
	s.presence = left
	s.ns.hub.LeaveAll(&s.rooms)
	life, used := s.ctx.(*life)
	seat := s.seatLocked()
	s.mu.Unlock()
	s.ns.users.Leave(seat.whose(), s.ns.loop.Now())
	s.show()
	if used {
		life.cancel(end)
	}
	s.events.Load().Fail(end)
}

// Ended tells the end to the callbacks that have not been told.
func (o *owner) Ended() {
	s := (*Socket)(o)
	end := s.end()
	if o.beginEnd() {
		s.ns.stats.Ended(s.conn.End())
		if f := s.ns.opts.OnDisconnect; f != nil {
			s.register(func(c *callbacks) {
				c.close = append(c.close, func(code StatusCode, reason string) { f(s, code, reason) })
			})
		}
	}
	for f := o.nextClose(); f != nil; f = o.nextClose() {
		s.protect(func() { f(end.Code, end.Reason) })
	}
}

// beginEnd reports whether the end has not been told yet.
func (o *owner) beginEnd() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	first := !o.ended
	o.ended = true
	return first
}

// nextClose takes a callback of OnClose that has not run yet, or nil.
func (o *owner) nextClose() (f func(StatusCode, string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c := o.callbacks; c != nil && len(c.close) > 0 {
		f, c.close = c.close[0], c.close[1:]
	}
	return f
}

func (o *owner) Gone() {
	s := (*Socket)(o)
	if s.ns.opts.Debug {
		end := s.end()
		s.ns.debug(s, "websocket closed", "code", int(end.Code), "reason", end.Reason)
	}
	if s.ns.srv != nil {
		s.ns.srv.gone()
	}
}

// call runs OnMessage's callback; in debug mode it then spoils the bytes, so
// that keeping them shows.
func (s *Socket) call(f func(Message), m Message) {
	s.protect(func() { f(m) })
	if s.ns.opts.Debug {
		for i := range m.data {
			m.data[i] = 0xDB
		}
	}
}

// PanicError is the error that a panic in a callback, a handler or a hook becomes.
type PanicError struct {
	Value any
	Stack []byte // as runtime/debug.Stack formats it, of where the panic began
}

func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v", e.Value) }

// Unwrap returns the value that was panicked with if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

var errExited = errors.New("a callback has ended its goroutine")

// protect runs a callback. One that panics, or ends its goroutine, closes the
// socket with 1011.
func (s *Socket) protect(f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			s.failed(&PanicError{v, debug.Stack()})
		} else if !returned {
			s.failed(errExited)
		}
	}()
	f()
	returned = true
}

// guard runs an error callback; a panic in it is logged and goes no further.
func (s *Socket) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.ns.log(s).Error("websocket: panic in OnError", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// failed closes with 1011 because a callback has panicked or ended its goroutine.
func (s *Socket) failed(err error) {
	stack := debug.Stack()
	if p, ok := err.(*PanicError); ok {
		stack = p.Stack
	}
	s.ns.log(s).Error("websocket: "+err.Error(), "stack", string(stack))
	s.conn.Abort(err)
}

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
