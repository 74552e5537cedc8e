package conn

import (
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	readBufferSize = 68 << 10 // bytes of one read: a message of 64 KiB and its header fit
	readTurn       = 16       // reads of one connection before others have a turn
)

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

// Begin begins to read, unless that is so already or the connection is not open yet.
func (c *Conn) Begin() {
	if c.beginReading() {
		c.link.AwaitRead()
	}
}

// beginReading reports whether the transport is to be asked for bytes.
func (c *Conn) beginReading() (await bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.link == nil || !c.runs.begin() { // nil before the 101, and after a refusal
		return false
	}
	if c.runs.pending&workRead == 0 {
		return true
	}
	c.wakeLocked(0)
	return false
}

// readAll reads and processes until nothing is there, and reports whether the
// transport is to be asked for more. The bytes that came with the handshake, or were
// set aside, are the first.
func (r run) readAll() (await bool) {
	lent := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(lent)
	for range readTurn {
		if !r.mayRead() {
			return false
		}
		if r.c.ahead {
			if !r.feed(r.takeEarly()) {
				return false
			}
			continue
		}
		into := r.c.in.room(*lent)
		n, err := r.c.link.Read(into)
		if n > 0 {
			r.c.activity.Store(r.c.cfg.Loop.Now())
			r.c.cfg.Counters.BytesReceived.Add(int64(n))
			if !r.feed(into[:n]) {
				return false
			}
			if r.c.ahead { // even if err is not ErrAgain: it comes again
				continue
			}
		}
		if err == transport.ErrAgain || err == nil && n < len(into) {
			return r.mayRead()
		}
		if err != nil {
			r.c.drop(err)
			return false
		}
	}
	r.c.wake(workRead)
	return false
}

// setAside keeps bytes to be processed before others are read.
func (r run) setAside(b []byte) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.rareLocked().early = b
	r.c.ahead = true
}

func (r run) takeEarly() (early []byte) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	early, r.c.rare.early, r.c.ahead = r.c.rare.early, nil, false
	return early
}

// mayRead reports whether more may be read, and notes that reading has paused if
// not.
func (r run) mayRead() bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.phase == Closed {
		return false
	}
	r.c.runs.reading = inReading
	if r.c.phase == Open && r.c.inbox.full() {
		r.c.runs.reading = inPaused
	}
	return r.c.runs.reading == inReading
}

// feed processes bytes and reports whether the connection is still alive.
func (r run) feed(p []byte) bool {
	if r.discard(len(p)) {
		return r.c.Phase() != Closed
	}
	received := int64(0)
	rest, err := r.process(p, &received)
	r.c.cfg.Messages.Received.Add(received)
	switch {
	case err == nil:
	case err != errFull:
		r.c.breach(err)
	case len(rest) > 0:
		r.setAside(slices.Clone(rest))
	}
	return r.c.Phase() != Closed
}

// process takes what has arrived whole, and returns the bytes that it has not
// processed. It counts messages in received.
func (r run) process(p []byte, received *int64) (rest []byte, err error) {
	var u unit
	for done := false; len(p) > 0 && !done && err == nil; {
		p, err = r.c.in.next(r.c.cfg, r.c.codec, p, &u)
		if u.moved {
			r.watchMessage(r.c.in.open())
		}
		if u.message() {
			*received++
		}
		if u.whole() && err == nil {
			done, err = r.take(&u)
		}
		u.release()
	}
	return p, err
}

// watchMessage notes that a message that comes in parts has grown, or has ended.
func (r run) watchMessage(open bool) {
	now := r.c.cfg.Loop.Now()
	r.c.mu.Lock()
	first := r.c.heart.grew(open, now)
	r.c.mu.Unlock()
	if every := r.c.cfg.pingEvery(r.c.jitter); first && (every == 0 || every > int64(MessageStall)) {
		r.c.cfg.Wheel.Schedule(r.c, now+int64(MessageStall))
	}
}

// take takes a message, or a close, ping or pong; done ends the processing of input.
func (r run) take(u *unit) (done bool, err error) {
	switch u.op {
	case wire.OpClose:
		return true, r.peerClosed(u.data)
	case wire.OpPing:
		r.pinged(u.data)
	case wire.OpPong:
		r.ponged(u.data)
	default:
		err = r.arrived(u.op, u.data)
	}
	return false, err
}

// discard reports whether what arrives is dropped, after a failure or the peer's
// close frame.
func (r run) discard(n int) bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	e := r.c.ending
	if r.c.phase == Open || !e.deaf() {
		return false
	}
	if e.discard(n) {
		r.c.endLocked(nil)
	}
	return true
}

// pinged answers a ping (RFC 6455 §5.5.2), and then tells of it.
func (r run) pinged(payload []byte) {
	r.c.mu.Lock()
	write := false
	if r.c.phase == Open && !r.c.sealedLocked() {
		r.c.out.control(r.c.cfg, wire.OpPong, payload)
		write = output(r).flushLocked() == flush
	}
	r.c.mu.Unlock()
	if write {
		r.c.Flush()
	}
	r.c.owner.Control(wire.OpPing, payload)
}

func (r run) ponged(payload []byte) {
	r.c.mu.Lock()
	if r.c.heart.pong(payload, r.c.cfg.Loop.Now()) {
		r.c.cfg.Counters.RTT.Add(time.Duration(r.c.heart.rtt))
	}
	r.c.mu.Unlock()
	r.c.owner.Control(wire.OpPong, payload)
}

// peerClosed answers the peer's close frame.
func (r run) peerClosed(payload []byte) error {
	code, reason, err := wire.ParseClose(payload)
	if err != nil {
		return err
	}
	r.answerClose(End{Code: code, Reason: reason, Remote: true})
	r.c.Flush()
	return nil
}

func (r run) answerClose(end End) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	e := r.c.endingLocked()
	e.answered(end, r.c.phase == Open)
	r.c.phase = max(r.c.phase, Closing)
	r.c.closeLocked(end.Code, "", false)
}
