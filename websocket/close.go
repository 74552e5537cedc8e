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
	told     bool // the callbacks for the end run, or have run
	gone     bool // they have, and the engine is let go; of the goroutine that runs the socket
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
// does not block. A reason over 123 bytes is cut. 0 sends no code and no reason,
// which is told as 1005; another code that must not be sent (RFC 6455 §7.4.1) is
// an error. Closing a second time does nothing.
func (s *Socket) Close(code StatusCode, reason string) error {
	switch {
	case code == 0, code == StatusNoStatusRcvd:
		code, reason = StatusNoStatusRcvd, ""
	case !wire.ValidCloseCode(uint16(code)):
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
		s.closeFlushedLocked()
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
	s.control(wire.OpClose, wire.AppendClose(nil, uint16(code), reason))
	s.readOn()
	s.watchWriteLocked()
}

// readOn reads for the peer's close frame, which neither a handler that stays nor
// a message that nobody takes may keep from us; s.mu is held.
func (s *Socket) readOn() {
	if s.state != StateConnecting && (!s.reading || s.paused) {
		s.reading, s.paused = true, false
		s.wakeLocked(workRead)
	}
}

// closeFlushedLocked goes on with closing if the close frame has left. Only then
// does the time for the peer's answer begin.
func (s *Socket) closeFlushedLocked() {
	c := s.closing
	if !c.sent || s.state != StateClosing || s.out != nil || s.writing {
		return
	}
	if c.received && !s.client {
		s.finishLocked(nil) // the server closes first (RFC 6455 §7.1.1)
		return
	}
	wait := s.srv.opts.CloseTimeout
	if c.linger {
		wait = lingerTime
	}
	if at := s.srv.loop.Now() + int64(wait); wait > 0 && (c.deadline == 0 || at < c.deadline) {
		c.deadline = at
		s.srv.wheel.Schedule((*looped)(s), at)
	}
	if c.linger && !c.half {
		c.half = true
		s.srv.loop.Go(taskFunc(s.shutWrite))
	}
}

// shutWrite shuts our side of the connection, which may take a while under TLS.
func (s *Socket) shutWrite() {
	if !s.link.CloseWrite() {
		s.kill(nil)
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
	s.startClose(StatusCode(code), "", false)
	s.mu.Unlock()
	s.flush()
	return nil
}

// fail closes the socket because the peer broke a rule.
func (s *Socket) fail(code StatusCode, err error) {
	s.mu.Lock()
	s.failLocked(code, err)
	s.mu.Unlock()
	s.flush()
}

func (s *Socket) failLocked(code StatusCode, err error) {
	s.reportLocked(err)
	if s.state == StateOpen {
		s.ending().failure = err
	}
	s.startClose(code, reasonOf(err), true)
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
	defer s.mu.Unlock()
	s.lostLocked(err)
}

func (s *Socket) lostLocked(err error) {
	if s.closing.received && s.out != nil && !s.client && errors.Is(err, io.EOF) {
		return // the peer has only finished sending: it still gets what is queued
	}
	expected := s.closing.sent && !s.cutShortLocked(err) || s.state == StateClosed
	if !expected && !errors.Is(err, io.EOF) {
		s.reportLocked(err)
	}
	s.finishLocked(err)
}

// failedUnread ends a socket whose connection has failed while nobody reads it.
func (s *Socket) failedUnread() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if (!s.reading || s.paused) && s.state != StateConnecting {
		s.lostLocked(io.ErrUnexpectedEOF)
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
	if s.cutShortLocked(err) {
		c.code, c.reason = StatusAbnormalClosure, ""
	}
	s.state = StateClosed
	s.mute = true
	if s.out != nil && !s.writing {
		s.out.release()
		s.out = nil
	}
	s.life.end(c.err())
	s.inbox.end()
	s.srv.loop.Go(taskFunc(s.leave))
}

// cutShortLocked reports whether a normal close was to follow messages that the
// peer has not got. Of a write that tells nothing before its end it may have all,
// unless it took nothing.
func (s *Socket) cutShortLocked(err error) bool {
	c := s.closing
	if s.out == nil || c.remote || c.code != StatusNormalClosure && c.code != StatusGoingAway {
		return false
	}
	skip := 0
	if s.inHand > 0 && !errors.Is(err, errWriteTimeout) {
		skip = s.out.busy
	}
	return s.out.messages(skip) > 0
}

// leave takes the socket out of everything that knows it, and then has its end
// told.
func (s *Socket) leave() {
	s.mu.Lock()
	writing := s.writing
	s.mu.Unlock()
	s.link.Close(writing)
	s.srv.wheel.Remove((*looped)(s))
	s.mu.Lock()
	s.failRequestsLocked()
	s.srv.hub.LeaveAll(&s.rooms)
	s.mu.Unlock()
	s.srv.unregister(s)
	s.wake(workClosed)
}

// tellClosed calls the callbacks for the end, and then lets go of the engine.
// Where one of them ends the goroutine, the next run goes on with the others.
func (s *Socket) tellClosed() {
	s.mu.Lock()
	c := s.ending()
	if !c.told {
		c.told = true
		s.srv.stats.closed(c.code)
		if f := s.srv.opts.OnDisconnect; f != nil {
			x := s.extrasLocked()
			x.close = append(x.close, func(code StatusCode, reason string) { f(s, code, reason) })
		}
	}
	s.mu.Unlock()
	for f := s.nextClose(); f != nil; f = s.nextClose() {
		s.protect(func() { f(c.code, c.reason) })
	}
	if c.gone {
		return
	}
	c.gone = true
	if s.srv.opts.Debug {
		s.debug("websocket closed", "code", int(c.code), "reason", c.reason)
	}
	s.dropReader()
	s.srv.gone()
}

// nextClose takes a callback of OnClose that has not run yet, or nil.
func (s *Socket) nextClose() (f func(StatusCode, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra != nil && len(s.extra.close) > 0 {
		f, s.extra.close = s.extra.close[0], s.extra.close[1:]
	}
	return f
}

// kill ends the socket without a handshake.
func (s *Socket) kill(err error) {
	s.mu.Lock()
	s.finishLocked(err)
	s.mu.Unlock()
}

// report has the socket's run tell OnError of a failure. It is for any
// goroutine, whatever locks its caller holds.
func (s *Socket) report(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reportLocked(err)
}

func (s *Socket) reportLocked(err error) {
	s.srv.stats.errors.Add(1)
	x := s.extrasLocked()
	x.errs = append(x.errs, err)
	s.wakeLocked(workError)
}

// tellErrors calls OnError with what was reported.
func (s *Socket) tellErrors() {
	for {
		s.mu.Lock()
		x := s.extra
		if x == nil || len(x.errs) == 0 {
			s.mu.Unlock()
			return
		}
		err, callbacks := x.errs[0], x.err
		x.errs = x.errs[1:]
		s.mu.Unlock()
		for _, f := range callbacks {
			s.guard(func() { f(err) })
		}
		if f := s.srv.opts.OnError; f != nil {
			s.guard(func() { f(s, err) })
		}
		if s.srv.opts.Debug {
			s.debug("websocket error", "error", err)
		}
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
	s.abort(StatusInternalError, internalError)
}

var errExited = errors.New("websocket: a callback has ended its goroutine")

func (s *Socket) exited() {
	s.log().Error(errExited.Error(), "stack", string(debug.Stack()))
	s.report(errExited)
	s.abort(StatusInternalError, internalError)
}

// abort closes on our side's failure: the peer has done nothing wrong, but
// nothing of it is processed any more.
func (s *Socket) abort(code StatusCode, reason string) {
	s.mu.Lock()
	s.startClose(code, reason, false)
	s.mu.Unlock()
	s.flush()
}
