package websocket

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	// After a close that we started because of a failure, what the peer still
	// sends is read and dropped, so that it reads our code and not a reset.
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// closing is how a socket ends, guarded by its mu.
type closing struct {
	code     StatusCode
	remote   bool
	sent     bool // our close frame is queued
	received bool // the peer's has come
	linger   bool // drop what still comes, until the peer has closed
	half     bool // our side of the connection is shut
	told     bool // OnClose was called
	reason   string
	failure  error
	dropped  int   // bytes dropped while lingering
	deadline int64 // on the wheel's clock, when waiting ends
}

// unclosed is how sockets end that have not begun to; it is only read.
var unclosed closing

// ending is for writing to s.closing; s.mu is held.
func (s *Socket) ending() *closing {
	if s.closing == &unclosed {
		s.closing = new(closing)
	}
	return s.closing
}

func (c *closing) err() *CloseError {
	return &CloseError{Code: c.code, Reason: c.reason, Remote: c.remote, Err: c.failure}
}

// Close starts the close handshake (RFC 6455 §7.1.2): what is queued is sent,
// then a close frame, then the peer's answer is awaited for CloseTimeout. It
// does not block. A reason over 123 bytes is cut; a code that must not be sent
// (RFC 6455 §7.4.1) is an error. Closing a second time does nothing.
func (s *Socket) Close(code StatusCode, reason string) error {
	if code != 0 && code != StatusNoStatusRcvd && !wire.ValidCloseCode(uint16(code)) {
		return fmt.Errorf("websocket: close: code %d must not be sent", code)
	}
	s.mu.Lock()
	s.startClose(code, reason, false)
	batching := s.batching
	s.mu.Unlock()
	if !batching {
		s.flush()
	}
	return nil
}

// startClose queues our close frame, or has Open do so; s.mu is held. With
// linger, the peer has broken a rule: nothing of it is processed any more.
func (s *Socket) startClose(code StatusCode, reason string, linger bool) {
	if s.state == StateClosed {
		return
	}
	c := s.ending()
	c.linger = c.linger || linger
	if c.sent {
		return
	}
	if s.state <= StateOpen {
		c.code, c.reason = code, reason
	}
	s.mute = true
	if s.state == StateConnecting {
		return
	}
	s.state = StateClosing
	c.sent = true
	payload := wire.AppendClose(nil, uint16(code), reason)
	s.control(wire.OpClose, payload)
	s.readOn()
	wait := s.srv.opts.CloseTimeout
	if linger {
		wait = lingerTime
	}
	if wait > 0 {
		c.deadline = s.srv.engine.wheel.now() + int64(wait)
		s.srv.engine.wheel.schedule(s, c.deadline)
	}
}

// readOn reads for the peer's close frame, which neither a handler that stays nor
// a message that nobody takes may keep from us; s.mu is held.
func (s *Socket) readOn() {
	if s.state != StateConnecting && (!s.reading || s.paused) {
		s.reading, s.paused = true, false
		s.deferWork(workRead)
	}
}

// closeFlushed goes on with closing when the queue is empty; s.mu is held.
func (s *Socket) closeFlushed() {
	c := s.closing
	if !c.sent || s.state != StateClosing {
		return
	}
	if c.received && !s.client {
		s.finishLocked(nil) // the server closes first (RFC 6455 §7.1.1)
		return
	}
	if c.linger && !c.half {
		c.half = true
		if !s.link.closeWrite() {
			s.finishLocked(nil)
		}
	}
}

// peerClosed answers the peer's close frame.
func (s *Socket) peerClosed(payload []byte) error {
	code, reason, err := wire.ParseClose(payload)
	if err != nil {
		return err
	}
	s.mu.Lock()
	c := s.ending()
	c.received = true
	if s.state == StateOpen {
		s.state = StateClosing
		c.code, c.reason, c.remote = StatusCode(code), reason, true
	}
	if c.sent {
		if s.out == nil && !s.client {
			s.finishLocked(nil)
		}
		s.mu.Unlock()
		return nil
	}
	s.startClose(StatusCode(code), "", false)
	s.mu.Unlock()
	s.flush()
	return nil
}

// fail closes the socket because the peer broke a rule.
func (s *Socket) fail(code StatusCode, err error) {
	s.report(err)
	s.mu.Lock()
	if s.state == StateOpen {
		s.ending().failure = err
	}
	s.startClose(code, reasonOf(err), true)
	s.mu.Unlock()
	s.flush()
}

func reasonOf(err error) string {
	var e *wire.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return err.Error()
}

// failWith takes the code from the error.
func (s *Socket) failWith(err error) {
	var e *wire.Error
	if errors.As(err, &e) {
		s.fail(StatusCode(e.Code), err)
		return
	}
	s.fail(StatusInternalError, err)
}

// lost ends the socket because its connection has failed.
func (s *Socket) lost(err error) {
	s.mu.Lock()
	expected := s.closing.sent || s.state == StateClosed
	if s.closing.received && s.out != nil && !s.client && errors.Is(err, io.EOF) {
		s.mu.Unlock() // the peer has only finished sending: it still gets what is queued
		return
	}
	s.finishLocked(err)
	s.mu.Unlock()
	if !expected && !errors.Is(err, io.EOF) {
		s.report(err)
	}
}

// failedUnread ends a socket whose connection has failed while its handler has
// not come to read.
func (s *Socket) failedUnread() {
	s.mu.Lock()
	unread := !s.reading && s.state != StateConnecting
	s.mu.Unlock()
	if unread {
		s.lost(io.ErrUnexpectedEOF)
	}
}

// finishLocked ends the socket; s.mu is held.
func (s *Socket) finishLocked(err error) {
	if s.state == StateClosed {
		return
	}
	c := s.ending()
	if s.state == StateOpen {
		c.code, c.failure = StatusAbnormalClosure, err
	} else if !c.received && !c.linger && c.sent && err != nil && c.failure == nil {
		c.failure = err
	}
	s.state = StateClosed
	s.mute = true
	if s.out != nil && !s.writing {
		s.out.release()
		s.out = nil
	}
	s.life.end(c.err())
	s.inbox.end()
	s.deferWork(workClosed)
	go s.leave()
}

// leave takes the socket out of everything that knows it.
func (s *Socket) leave() {
	s.link.close()
	s.srv.engine.wheel.remove(s)
	s.failRequests()
	s.LeaveAll()
	s.srv.unregister(s)
	s.ended()
}

// ended is called once when the socket has left everything and once when its
// end has been told.
func (s *Socket) ended() {
	if s.ends.Add(1) == 2 {
		s.srv.gone()
	}
}

// tellClosed calls the callbacks for the end, once, and lets go of the engine.
func (s *Socket) tellClosed() {
	s.mu.Lock()
	if s.closing.told {
		s.mu.Unlock()
		return
	}
	s.ending().told = true
	code, reason := s.closing.code, s.closing.reason
	var callbacks []func(StatusCode, string)
	if s.extra != nil {
		callbacks = s.extra.close
	}
	s.mu.Unlock()
	s.srv.stats.closed(code)
	for _, f := range callbacks {
		s.protect(func() { f(code, reason) })
	}
	if f := s.srv.opts.OnDisconnect; f != nil {
		s.protect(func() { f(s, code, reason) })
	}
	if s.srv.opts.Debug {
		s.log().Debug("websocket closed", "code", int(code), "reason", reason)
	}
	s.dropReader()
	s.ended()
}

// kill ends the socket without a handshake.
func (s *Socket) kill(err error) {
	s.mu.Lock()
	s.finishLocked(err)
	s.mu.Unlock()
}

// report tells OnError of a failure.
func (s *Socket) report(err error) {
	s.srv.stats.errors.Add(1)
	s.mu.Lock()
	var callbacks []func(error)
	if s.extra != nil {
		callbacks = s.extra.err
	}
	s.mu.Unlock()
	for _, f := range callbacks {
		s.guard(func() { f(err) })
	}
	if f := s.srv.opts.OnError; f != nil {
		s.guard(func() { f(s, err) })
	}
	if s.srv.opts.Debug {
		s.log().Debug("websocket error", "error", err)
	}
}

// guard runs an error callback; a panic in it is logged and goes no further.
func (s *Socket) guard(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.log().Error("websocket: panic in OnError", "panic", v, "stack", string(debug.Stack()))
		}
	}()
	f()
}

// PanicError is what OnError gets of a panic in a callback.
type PanicError struct {
	Value any
	Stack []byte
}

func (e *PanicError) Error() string { return fmt.Sprintf("websocket: panic: %v", e.Value) }

func (s *Socket) panicked(v any) {
	err := &PanicError{v, debug.Stack()}
	s.log().Error(err.Error(), "stack", string(err.Stack))
	s.report(err)
	s.abort(StatusInternalError, "internal error")
}

// abort closes on our side's failure: the peer has done nothing wrong, but
// nothing of it is processed any more.
func (s *Socket) abort(code StatusCode, reason string) {
	s.mu.Lock()
	s.startClose(code, reason, false)
	s.mu.Unlock()
	s.flush()
}
