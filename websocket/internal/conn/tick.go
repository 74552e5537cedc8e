package conn

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/pulse"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

var (
	errPongTimeout  = errors.New("websocket: peer did not answer a ping in time")
	errWriteTimeout = errors.New("websocket: peer took no bytes in time")
)

// RTT is the time between the last ping of the heartbeat and its pong; 0 before the
// first.
func (c *Conn) RTT() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Duration(c.heart.RTT())
}

// Tick is called by the wheel. It does what is due at now and returns when to look
// again; 0: never.
func (c *Conn) Tick(now int64) (next int64) {
	next, failure := c.tickOrPark(now)
	c.Flush()
	if failure != nil {
		c.drop(failure)
		return 0
	}
	if next == never {
		return 0
	}
	return next
}

// tickOrPark returns an error if the connection is to be given up. One that may be parked
// is, before another transport can come.
func (c *Conn) tickOrPark(now int64) (next int64, failure error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	next, failure = c.tickLocked(now)
	if failure != nil && c.parkLocked(End{Code: abnormalClosure, Err: failure}, nil) {
		return c.ledgerLocked().until(), nil
	}
	return next, failure
}

func (c *Conn) tickLocked(now int64) (next int64, failure error) {
	if c.phase == Closed {
		return never, nil
	}
	if l := c.ledgerLocked(); l.parked() {
		return c.tickParkedLocked(l, now), nil
	}
	closeAt, writeAt, messageAt, expectedAt := c.ending.due(), output{c}.writeDueLocked(), never, never
	if c.phase == Open {
		expectedAt = c.expectedLocked()
		messageAt = c.heart.StallsAt(now, c.runs.reading == inPaused || c.runs.state != atRest)
	}
	switch {
	case now >= closeAt && c.ending.broken != nil:
		return never, c.ending.broken
	case now >= closeAt:
		c.endLocked(nil)
		return never, nil
	case now >= writeAt:
		return never, errWriteTimeout
	case now >= messageAt:
		c.breachLocked(errStalled)
		return now + int64(lingerTime), nil
	case now >= expectedAt:
		c.closeLocked(unauthorized, "not authenticated in time", false)
		return now + int64(lingerTime), nil
	}
	next, failure = c.beatLocked(now)
	return min(next, closeAt, writeAt, messageAt, expectedAt, c.speakLocked(now), c.reportCountLocked(now)), failure
}

// Expect closes the connection with 4401 if it is not called again within d; 0: never.
func (c *Conn) Expect(d time.Duration) {
	if at := c.expect(d); at != 0 {
		c.cfg.Wheel.Schedule(c, at)
	}
}

func (c *Conn) expect(d time.Duration) (at int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d > 0 && c.phase == Open {
		at = c.cfg.Loop.Now() + int64(d)
	}
	if at != 0 || c.rare != nil {
		c.rareLocked().expected = at
		c.forgetRareLocked()
	}
	return at
}

func (c *Conn) expectedLocked() int64 {
	if c.rare == nil || c.rare.expected == 0 {
		return never
	}
	return c.rare.expected
}

// forgetRareLocked gives up c.rare if nothing is in it.
func (c *Conn) forgetRareLocked() {
	if x := c.rare; x.early == nil && len(x.errs) == 0 && x.ledger == nil && x.shared == nil && x.expected == 0 {
		c.rare = nil
	}
}

// beatLocked sends the ping of the heartbeat and judges whether the peer lives.
func (c *Conn) beatLocked(now int64) (next int64, failure error) {
	every := c.cfg.pingEvery(c.jitter)
	if every <= 0 || c.phase != Open || c.ending.broken != nil {
		return never, nil
	}
	next, todo := c.heart.Beat(now, c.activity.Load(), every, int64(c.cfg.PongTimeout), c.runs.deaf())
	switch todo {
	case pulse.Ping:
		c.thawLocked()
		c.out.control(c.cfg, wire.OpPing, binary.BigEndian.AppendUint64(nil, uint64(now)))
	case pulse.GiveUp:
		failure = errPongTimeout
		if c.ledgerLocked() != nil {
			break
		}
		c.out.control(c.cfg, wire.OpClose, wire.AppendClose(nil, internalError, "ping timeout"))
		c.endingLocked().sealed = true
	}
	return next, failure
}

func (c *Conn) noteSpoken(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.voice.Note(now)
}

// watch has the wheel look at the connection for the first time.
func (c *Conn) watch() {
	now := c.cfg.Loop.Now()
	c.activity.Store(now)
	if c.voice.On {
		c.noteSpoken(now)
	}
	if every := c.cfg.pingEvery(c.jitter); every > 0 {
		c.cfg.Wheel.Schedule(c, now+every)
	}
}
