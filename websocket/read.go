package websocket

import (
	"slices"
	"sync"

	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	readBufferSize  = 68 << 10 // bytes of one read: a message of 64 KiB and its header fit
	keptMessageSize = 2 << 20  // bytes of the largest message buffer that is kept
	directSize      = 8 << 10  // bytes of payload that have come, and that are still to come, to be read to where they belong
	readTurn        = 16       // reads of one socket before others have a turn
)

// reader is the state of an unfinished frame or message. A socket has one only
// between the first byte of a message and its last.
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

func (s *Socket) dropReader() {
	r := s.read
	if r == nil {
		return
	}
	data := r.data[:0]
	if cap(data) > keptMessageSize {
		data = nil
	}
	*r = reader{data: data, control: r.control[:0]}
	readers.Put(r)
	s.read = nil
}

func (s *Socket) partial() *reader {
	if s.read == nil {
		s.read = readers.Get().(*reader)
	}
	return s.read
}

// begin starts reading.
func (s *Socket) begin() {
	s.mu.Lock()
	started := s.reading || s.link == nil // which it is before the 101, and on a socket that was refused
	if !started {
		s.reading = true
	}
	now := s.extra != nil && s.extra.early != nil || s.pending&workRead != 0
	s.mu.Unlock()
	switch {
	case started:
	case now:
		s.wake(workRead)
	default:
		s.link.AwaitRead()
	}
}

// readAll reads and processes until nothing is there, and reports whether the
// driver is to be asked for more. The bytes that came with the handshake, or
// were set aside, are the first.
func (s *Socket) readAll() (await bool) {
	lent := readBuffers.Get().(*[]byte)
	defer readBuffers.Put(lent)
	buf := *lent
	for range readTurn {
		if !s.mayRead() {
			return false
		}
		if s.ahead {
			if !s.feed(s.takeEarly(), false) {
				return false
			}
			continue
		}
		into, direct := s.room(buf)
		n, err := s.link.Read(into)
		if n > 0 {
			s.activity.Store(s.srv.loop.Now())
			s.srv.stats.bytesReceived.Add(int64(n))
			if !s.feed(into[:n], direct) {
				return false
			}
			if s.ahead { // also where err is no transport.ErrAgain: it comes again
				continue
			}
		}
		if err == transport.ErrAgain || err == nil && n < len(into) {
			return s.mayRead()
		}
		if err != nil {
			s.lost(err)
			return false
		}
	}
	s.wake(workRead)
	return false
}

func (s *Socket) takeEarly() (early []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	early, s.extra.early, s.ahead = s.extra.early, nil, false
	return early
}

// mayRead reports whether more may be read, and notes that reading has paused
// if not.
func (s *Socket) mayRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == StateClosed {
		return false
	}
	s.paused = s.state == StateOpen && s.inbox.full()
	return !s.paused
}

// room is where to read to: buf, or, for a long payload, where it belongs. That
// is no longer than what the peer has sent of the message already.
func (s *Socket) room(buf []byte) (into []byte, direct bool) {
	r := s.read
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

// feed processes bytes and reports whether the socket is still alive. direct
// tells that they are in their place behind the message's others.
func (s *Socket) feed(p []byte, direct bool) bool {
	if s.discarding(len(p)) {
		return s.State() != StateClosed
	}
	var err error
	if direct {
		err = s.landed(p)
	} else {
		err = s.process(p)
	}
	if err != nil {
		s.failWith(err)
	}
	return s.State() != StateClosed
}

// landed takes payload that was read to where it belongs.
func (s *Socket) landed(p []byte) error {
	received := int64(0)
	_, _, err := s.payload(s.read, p, &received)
	s.srv.stats.received.Add(received)
	return s.setAside(nil, err)
}

// discarding reports whether what arrives is dropped, after a failure or the
// peer's close frame.
func (s *Socket) discarding(n int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.closing
	if s.state == StateOpen || !c.linger && !c.received {
		return false
	}
	c.dropped += n
	if c.dropped > lingerBytes {
		s.finishLocked(nil)
	}
	return true
}

// process takes bytes off the stream frame by frame (RFC 6455 §5.2).
func (s *Socket) process(p []byte) error {
	received := int64(0)
	defer func() { s.srv.stats.received.Add(received) }()
	var h wire.Header
	for len(p) > 0 {
		r := s.read
		if r != nil && r.inFrame {
			n, done, err := s.payload(r, p, &received)
			if err != nil || done {
				return s.setAside(p[n:], err)
			}
			p = p[n:]
			continue
		}
		n, err := s.header(&h, p)
		if err != nil || n == 0 {
			return err
		}
		p = p[n:]
		if err := s.admitFrame(&h); err != nil {
			return err
		}
		if int64(len(p)) < h.Length {
			s.openFrame(&h)
			continue
		}
		body := p[:h.Length]
		p = p[h.Length:]
		if h.Masked {
			wire.Mask(h.Mask, 0, body)
		}
		if done, err := s.whole(&h, body, &received); err != nil || done {
			return s.setAside(p, err)
		}
	}
	return nil
}

// header parses a header that may have begun in an earlier read. n == 0: it
// has not ended.
func (s *Socket) header(h *wire.Header, p []byte) (n int, err error) {
	if r := s.read; r != nil && r.headerN > 0 {
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
		if len(p) > 1 && (p[1]&0x80 != 0) == s.client {
			return 0, s.maskError()
		}
		r := s.partial()
		r.headerN = copy(r.header[:], p)
	}
	return n, err
}
