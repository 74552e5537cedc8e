package conn

import (
	"slices"
	"sync"

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
func (c *Conn) readAll() (await bool) {
	lent := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(lent)
	for range readTurn {
		if !c.mayRead() {
			return false
		}
		if c.ahead {
			if !c.feed(c.takeEarly()) {
				return false
			}
			continue
		}
		into := c.in.room(*lent)
		n, err := c.link.Read(into)
		if n > 0 {
			c.activity.Store(c.cfg.Loop.Now())
			c.cfg.Counters.BytesReceived.Add(int64(n))
			if !c.feed(into[:n]) {
				return false
			}
			if c.ahead { // even if err is not ErrAgain: it comes again
				continue
			}
		}
		if err == transport.ErrAgain || err == nil && n < len(into) {
			return c.mayRead()
		}
		if err != nil {
			c.drop(err)
			return false
		}
	}
	c.wake(workRead)
	return false
}

// setAside keeps bytes to be processed before others are read.
func (c *Conn) setAside(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rareLocked().early = b
	c.ahead = true
}

func (c *Conn) takeEarly() (early []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	early, c.rare.early, c.ahead = c.rare.early, nil, false
	return early
}

// mayRead reports whether more may be read, and notes that reading has paused if
// not.
func (c *Conn) mayRead() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase == Closed {
		return false
	}
	c.runs.reading = inReading
	if c.phase == Open && c.inbox.full() {
		c.runs.reading = inPaused
	}
	return c.runs.reading == inReading
}

// feed processes bytes and reports whether the connection is still alive.
func (c *Conn) feed(p []byte) bool {
	if c.discard(len(p)) {
		return c.Phase() != Closed
	}
	received := int64(0)
	rest, err := c.process(p, &received)
	c.cfg.Counters.Received.Add(received)
	switch {
	case err == nil:
	case err != errFull:
		c.breach(err)
	case len(rest) > 0:
		c.setAside(slices.Clone(rest))
	}
	return c.Phase() != Closed
}

// process takes what has arrived whole, and returns the bytes that it has not
// processed. It counts messages in received.
func (c *Conn) process(p []byte, received *int64) (rest []byte, err error) {
	var u unit
	for done := false; len(p) > 0 && !done && err == nil; {
		p, err = c.in.next(c.cfg, c.codec, p, &u)
		if u.moved {
			c.watchMessage(c.in.open())
		}
		if u.message() {
			*received++
		}
		if u.whole() && err == nil {
			done, err = c.take(&u)
		}
		u.release()
	}
	return p, err
}

// take takes a message, or a close, ping or pong; done ends the processing of input.
func (c *Conn) take(u *unit) (done bool, err error) {
	switch u.op {
	case wire.OpClose:
		return true, c.peerClosed(u.data)
	case wire.OpPing:
		c.pinged(u.data)
	case wire.OpPong:
		c.ponged(u.data)
	default:
		err = c.arrived(u.op, u.data)
	}
	return false, err
}

// discard reports whether what arrives is dropped, after a failure or the peer's
// close frame.
func (c *Conn) discard(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ending
	if c.phase == Open || !e.deaf() {
		return false
	}
	if e.discard(n) {
		c.endLocked(nil)
	}
	return true
}

// pinged answers a ping (RFC 6455 §5.5.2), and then tells of it.
func (c *Conn) pinged(payload []byte) {
	c.mu.Lock()
	write := false
	if c.phase == Open && !c.sealedLocked() {
		c.out.control(c.cfg, wire.OpPong, payload)
		write = c.flushLocked() == flush
	}
	c.mu.Unlock()
	if write {
		c.Flush()
	}
	c.owner.Control(wire.OpPing, payload)
}

func (c *Conn) ponged(payload []byte) {
	c.mu.Lock()
	c.heart.pong(payload, c.cfg.Loop.Now())
	c.mu.Unlock()
	c.owner.Control(wire.OpPong, payload)
}
