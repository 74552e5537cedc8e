package conn

import (
	"errors"
	"fmt"
	"io"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Errors of sending.
var (
	ErrClosed  = errors.New("websocket: socket is closed")
	ErrSlow    = errors.New("websocket: slow consumer")
	ErrDropped = errors.New("websocket: message dropped, send queue is full")
)

// endingLocked is for writing to c.ending.
func (c *Conn) endingLocked() *ending {
	if c.ending == &notEnding {
		c.ending = new(ending)
	}
	return c.ending
}

// End tells how the connection ended, or is about to.
func (c *Conn) End() End {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ending.End
}

// Close starts the close handshake (RFC 6455 §7.1.2). Code 0 sends no code and no
// reason; another one that must not be sent (RFC 6455 §7.4.1) is an error.
func (c *Conn) Close(code uint16, reason string) error {
	switch {
	case code == 0, code == noStatus:
		code, reason = noStatus, ""
	case !wire.ValidCloseCode(code):
		return fmt.Errorf("websocket: close: code %d must not be sent", code)
	}
	c.closeWith(code, reason, nil)
	return nil
}

// Abort closes because we have failed, and reports why: the peer has done nothing
// wrong, but nothing of it is processed any more.
func (c *Conn) Abort(cause error) { c.closeWith(internalError, "internal error", cause) }

// Drop ends the connection without a handshake.
func (c *Conn) Drop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != Closed {
		c.endingLocked().Cut = true
	}
	c.endLocked(err)
}

// closeWith starts the close handshake, and reports the cause if there is one.
func (c *Conn) closeWith(code uint16, reason string, cause error) {
	if c.startClose(code, reason, cause) {
		c.Flush()
	}
}

// startClose reports whether the caller is to flush.
func (c *Conn) startClose(code uint16, reason string, cause error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cause != nil {
		c.reportLocked(cause)
	}
	c.closeLocked(code, reason, false)
	return !c.runs.holds()
}

// breach closes because the peer broke a rule. err has the code.
func (c *Conn) breach(err error) {
	c.mu.Lock()
	c.breachLocked(err)
	c.mu.Unlock()
	c.Flush()
}

func (c *Conn) breachLocked(err error) {
	c.reportLocked(err)
	if c.phase == Open {
		c.endingLocked().Err = err
	}
	code, reason := uint16(internalError), err.Error()
	var e *wire.Error
	if errors.As(err, &e) {
		code, reason = e.Code, e.Reason
	}
	if err == errRate && c.voice.On {
		reason += c.cfg.Retry()
	}
	c.closeLocked(code, reason, true)
}

// drop ends the connection because it has failed.
func (c *Conn) drop(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.dropLocked(err)
}

func (c *Conn) dropLocked(err error) {
	if c.parkLocked(End{Code: abnormalClosure, Err: err}, nil) {
		return
	}
	e := c.ending
	if e.broken != nil {
		err = e.broken
	}
	eof := errors.Is(err, io.EOF)
	if e.received && c.out.box != nil && !c.cfg.Client && eof {
		return // the peer has only finished sending: it still gets what is queued
	}
	expected := e.sent && !e.cutShort(c.out.unsent(err)) || c.phase == Closed
	if !expected && !eof {
		c.reportLocked(err)
	}
	c.endLocked(err)
}

// brokenLocked is for a failure to write. What a server has sent before is still read for
// some time, as it may tell why it has closed; a server is to let go of what it has for a
// client that is gone.
func (c *Conn) brokenLocked(err error) {
	e := c.endingLocked()
	ends := c.phase != Open || e.sealed && e.broken == nil
	if ends || !c.cfg.Client || c.cfg.CloseTimeout <= 0 || c.runs.reading == inNotBegun {
		c.dropLocked(err)
		return
	}
	if c.out.state == outIdle {
		c.discardLocked()
	}
	if e.broken == nil {
		e.sealed, e.broken = true, err
		c.awaitPeerLocked()
	}
}

// awaitPeerLocked begins the time for what the peer is still to send.
func (c *Conn) awaitPeerLocked() {
	if e := c.ending; e.await(c.cfg.Loop.Now(), c.cfg.CloseTimeout) {
		c.cfg.Wheel.Schedule(c, e.deadline)
	}
}

// closeLocked queues our close frame, or has Open do so. With linger, the peer has
// broken a rule: nothing of it is processed any more.
func (c *Conn) closeLocked(code uint16, reason string, linger bool) {
	if c.phase == Closed {
		return
	}
	if c.ledgerLocked().parked() {
		c.phase = Closing
		c.endingLocked().End = End{Code: code, Reason: reason}
		c.endLocked(nil)
		return
	}
	e := c.endingLocked()
	e.linger = e.linger || linger
	switch {
	case e.sent:
		c.closeSentLocked()
		return
	case e.broken != nil && e.received:
		c.endLocked(nil)
		return
	case e.broken != nil:
		c.dropLocked(nil)
		return
	}
	if c.phase <= Open {
		e.Code, e.Reason = code, reason
	}
	e.sealed = true
	if c.phase == Connecting {
		return
	}
	c.phase = Closing
	e.sent = true
	c.out.control(c.cfg, wire.OpClose, wire.AppendClose(nil, code, reason))
	c.readOnLocked()
	output{c}.watchWriteLocked()
}

// readOnLocked reads for the peer's close frame, which neither a handler that stays
// nor a message that nobody takes may keep from us.
func (c *Conn) readOnLocked() {
	if c.runs.reading != inReading {
		c.runs.reading = inReading
		c.wakeLocked(workRead)
	}
}

// closeSentLocked goes on with closing if the close frame has left. Only then does
// the time for the peer's answer begin.
func (c *Conn) closeSentLocked() {
	e := c.ending
	if !e.sent || c.phase != Closing || c.out.box != nil {
		return
	}
	if e.received && !c.cfg.Client {
		c.endLocked(nil) // the server closes first (RFC 6455 §7.1.1)
		return
	}
	c.awaitPeerLocked()
	if e.linger && !e.half {
		e.half = true
		c.cfg.Loop.Go(halfClose{c})
	}
}

// halfClose shuts our side of the connection, which may take a while under TLS.
type halfClose struct{ c *Conn }

func (h halfClose) Run(*loop.Worker) {
	link, _ := h.c.transport()
	link.CloseWrite()
}

// endLocked ends the connection.
func (c *Conn) endLocked(err error) {
	if c.phase == Closed {
		return
	}
	c.unparkLocked()
	e := c.endingLocked()
	e.lost(err, c.phase == Open, c.out.unsent(err))
	c.phase = Closed
	if c.out.state == outIdle {
		c.discardLocked()
	}
	c.inbox.end()
	c.cfg.Loop.Go(leave{c})
}

// discardLocked gives up what is queued, and counts the messages.
func (c *Conn) discardLocked() {
	if c.out.box != nil {
		c.cfg.Counters.Drops.Closed.Add(int64(c.out.box.Messages(0)))
	}
	c.out.release()
}

// leave takes the connection out of everything that knows it, and then has its end
// told.
type leave struct{ c *Conn }

func (l leave) Run(*loop.Worker) {
	c := l.c
	if link, writing := c.transport(); link != nil { // nil: it was parked
		link.Close(writing)
	}
	c.cfg.Wheel.Remove(c)
	if c.pace != nil {
		c.pace.Route.Ended()
	}
	c.owner.Left()
	c.wake(workEnd)
}

// transport is what moves the bytes, or nil, and whether a write is under way.
func (c *Conn) transport() (link transport.Conn, writing bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.link, c.out.state != outIdle
}

// RepeatEnd calls the owner's Ended again, in a run, if it was called already.
func (c *Conn) RepeatEnd() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ending.told {
		c.wakeLocked(workEnd)
	}
}
