package conn

import (
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/pulse"
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
	if link := c.beginReading(); link != nil {
		link.AwaitRead()
	}
}

// beginReading returns the transport if it is to be asked for bytes.
func (c *Conn) beginReading() transport.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.link == nil && !c.ledgerLocked().parked() // the 101, or after a refusal
	if before || !c.runs.begin() {
		return nil
	}
	if c.runs.pending&workRead == 0 {
		return c.link
	}
	c.wakeLocked(0)
	return nil
}

// readAll reads and processes until nothing is there, and returns the transport if it
// is to be asked for more. The bytes that came with the handshake, or were set aside,
// are the first.
func (r run) readAll() (silent transport.Conn) {
	lent := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(lent)
	for range readTurn {
		link := r.mayRead()
		if link == nil {
			return nil
		}
		if r.c.ahead {
			if !r.feed(r.takeEarly()) {
				return nil
			}
			continue
		}
		into := r.c.in.room(*lent)
		n, err := link.Read(into)
		if n > 0 {
			r.c.activity.Store(r.c.cfg.Loop.Now())
			r.c.cfg.Counters.BytesReceived.Add(int64(n))
			if !r.feed(into[:n]) {
				return nil
			}
			if r.c.ahead { // even if err is not ErrAgain: it comes again
				continue
			}
		}
		if err == transport.ErrAgain || err == nil && n < len(into) {
			if now := r.mayRead(); now == nil || now == link {
				return now
			}
			continue // another has come
		}
		if err != nil {
			r.lost(err)
			return nil
		}
	}
	r.c.wake(workRead)
	return nil
}

// lost is drop for a failure to read, unless another transport has come.
func (r run) lost(err error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if !r.c.ledgerLocked().stale() {
		r.c.dropLocked(err)
	}
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

// mayRead returns the transport if more may be read, and notes that reading has paused
// if not.
func (r run) mayRead() transport.Conn {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.phase == Closed || r.c.link == nil {
		return nil
	}
	if l := r.c.ledgerLocked(); l.stale() {
		r.turnLocked(l)
	}
	r.c.runs.reading = inReading
	if r.c.phase == Open && r.c.inbox.full() {
		r.c.runs.reading = inPaused
		return nil
	}
	return r.c.link
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
	case err == errStale:
		return false
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
	if every := r.c.cfg.pingEvery(r.c.jitter); r.grew(open, now) && (every == 0 || every > int64(pulse.MessageStall)) {
		r.c.cfg.Wheel.Schedule(r.c, now+int64(pulse.MessageStall))
	}
}

// grew reports whether this is the first that is heard of the message.
func (r run) grew(open bool, now int64) bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	return !r.c.ledgerLocked().stale() && r.c.heart.Grew(open, now)
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
	stale := r.c.hearLocked()
	if !stale && r.c.phase == Open && !r.c.sealedLocked() {
		r.c.out.control(r.c.cfg, wire.OpPong, payload)
		write = output(r).flushLocked() == flush
	}
	r.c.mu.Unlock()
	if write {
		r.c.Flush()
	}
	if !stale {
		r.c.owner.Control(wire.OpPing, payload)
	}
}

func (r run) ponged(payload []byte) {
	if r.noted(payload) {
		r.c.owner.Control(wire.OpPong, payload)
	}
}

// noted takes the time of a pong. It reports false if another transport has come.
func (r run) noted(payload []byte) bool {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.hearLocked() {
		return false
	}
	if r.c.heart.Pong(payload, r.c.cfg.Loop.Now()) {
		r.c.cfg.Counters.RTT.Add(time.Duration(r.c.heart.RTT()))
	}
	return true
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
	if r.c.ledgerLocked().stale() || !r.c.endsLocked(end.Code) && r.c.parkLocked(end, closeFrame(end.Code, "")) {
		return
	}
	e := r.c.endingLocked()
	e.answered(end, r.c.phase == Open)
	r.c.phase = max(r.c.phase, Closing)
	r.c.closeLocked(end.Code, "", false)
}
