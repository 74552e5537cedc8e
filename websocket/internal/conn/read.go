package conn

import (
	"slices"
	"sync"

	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	readBufferSize = 68 << 10 // bytes of one read: a message of 64 KiB and its header fit
	maxKeptMessage = 2 << 20  // bytes of the largest message buffer that is kept
	directSize     = 8 << 10  // bytes of payload that have come, and that are still to come, to be read to where they belong
	readTurn       = 16       // reads of one connection before others have a turn
)

// reader is an unfinished frame or message. A connection has one
// only between the first byte of a message and its last.
type reader struct {
	header  [wire.MaxHeaderSize]byte
	headerN int

	frame   wire.Header // the frame whose payload is arriving
	inFrame bool
	at      int64 // payload bytes of it that have arrived

	message    bool // a data message is open
	op         wire.Opcode
	compressed bool
	empty      int // fragments without payload
	text       wire.UTF8
	data       []byte // of the message, unmasked
	control    []byte // payload of a control frame that arrives in parts
}

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

var readers = sync.Pool{New: func() any { return new(reader) }}

func (c *Conn) dropReader() {
	r := c.read
	if r == nil {
		return
	}
	data := r.data[:0]
	if cap(data) > maxKeptMessage {
		data = nil
	}
	*r = reader{data: data, control: r.control[:0]}
	readers.Put(r)
	c.read = nil
}

func (c *Conn) partial() *reader {
	if c.read == nil {
		c.read = readers.Get().(*reader)
	}
	return c.read
}

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
	if c.in != inNotBegun || c.link == nil { // which it is before the 101, and after a refusal
		return false
	}
	c.in = inReading
	if c.pending&workRead == 0 {
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
			if !c.feed(c.takeEarly(), false) {
				return false
			}
			continue
		}
		into, direct := c.room(*lent)
		n, err := c.link.Read(into)
		if n > 0 {
			c.activity.Store(c.cfg.Loop.Now())
			c.cfg.Counters.BytesReceived.Add(int64(n))
			if !c.feed(into[:n], direct) {
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
	c.in = inReading
	if c.phase == Open && c.inbox.full() {
		c.in = inPaused
	}
	return c.in == inReading
}

// room is where to read to: buf, or, for a long payload, where it belongs. That
// is no longer than what the peer has sent of the message already.
func (c *Conn) room(buf []byte) (into []byte, direct bool) {
	r := c.read
	if r == nil || !r.inFrame || r.frame.Op.IsControl() || r.frame.Length-r.at < directSize {
		return buf, false
	}
	have := len(r.data)
	if have < directSize {
		return buf, false
	}
	r.data = slices.Grow(r.data, int(min(r.frame.Length-r.at, int64(have))))
	free := r.data[have:cap(r.data)]
	return free[:min(int64(len(free)), r.frame.Length-r.at)], true
}

// feed processes bytes and reports whether the connection is still alive. direct
// tells that they are in their place after the message's others.
func (c *Conn) feed(p []byte, direct bool) bool {
	if c.discard(len(p)) {
		return c.Phase() != Closed
	}
	received := int64(0)
	var rest []byte
	var err error
	if direct {
		_, _, err = c.payload(c.read, p, &received)
	} else {
		rest, err = c.process(p, &received)
	}
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

// discard reports whether what arrives is dropped, after a failure or the peer's
// close frame.
func (c *Conn) discard(n int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.ending
	if c.phase == Open || !e.linger && !e.received {
		return false
	}
	e.dropped += n
	if e.dropped > lingerBytes {
		c.endLocked(nil)
	}
	return true
}

// process takes bytes off the stream frame by frame (RFC 6455 §5.2), and returns
// those that it has not processed. It counts messages in received.
func (c *Conn) process(p []byte, received *int64) (rest []byte, err error) {
	var h wire.Header
	for len(p) > 0 {
		if r := c.read; r != nil && r.inFrame {
			n, done, err := c.payload(r, p, received)
			p = p[n:]
			if err != nil || done {
				return p, err
			}
			continue
		}
		n, err := c.header(&h, p)
		if err != nil || n == 0 {
			return nil, err
		}
		p = p[n:]
		if err := c.admitFrame(&h); err != nil {
			return nil, err
		}
		if int64(len(p)) < h.Length {
			c.openFrame(&h)
			continue
		}
		body := p[:h.Length]
		p = p[h.Length:]
		if h.Masked {
			wire.Mask(h.Mask, 0, body)
		}
		if done, err := c.whole(&h, body, received); err != nil || done {
			return p, err
		}
	}
	return nil, nil
}

// header parses a header that may have begun in an earlier read. n == 0: it
// has not ended.
func (c *Conn) header(h *wire.Header, p []byte) (n int, err error) {
	if r := c.read; r != nil && r.headerN > 0 {
		had := r.headerN
		r.headerN += copy(r.header[had:], p)
		n, err = h.Parse(r.header[:r.headerN])
		if n > 0 {
			r.headerN = 0
			n -= had
		}
		return n, err
	}
	n, err = h.Parse(p)
	if n == 0 && err == nil {
		if len(p) > 1 && (p[1]&0x80 != 0) == c.cfg.Client {
			return 0, c.maskError()
		}
		r := c.partial()
		r.headerN = copy(r.header[:], p)
	}
	return n, err
}
