package websocket

import (
	"errors"
	"slices"
	"sync"

	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	maxEmptyFragments = 1000     // of one message, then 1008
	firstMessageSize  = 4 << 10  // bytes of a message buffer to begin with
	keptMessageSize   = 2 << 20  // bytes of the largest message buffer that is kept
	directSize        = 8 << 10  // bytes of payload still to come, to be read to where they belong
	directAhead       = 64 << 10 // bytes of room for that, or as many as have come
	readTurn          = 16       // reads of one socket before others have a turn
)

var (
	errUnmasked    = &wire.Error{Code: 1002, Reason: "frame is not masked"}       // RFC 6455 §5.1
	errMasked      = &wire.Error{Code: 1002, Reason: "frame is masked"}           // RFC 6455 §5.1
	errRSV1        = &wire.Error{Code: 1002, Reason: "compression not agreed on"} // RFC 6455 §5.2
	errNoMessage   = &wire.Error{Code: 1002, Reason: "continuation without a message"}
	errInterleaved = &wire.Error{Code: 1002, Reason: "message inside a message"}
	errText        = &wire.Error{Code: 1007, Reason: "text is not UTF-8"}
	errInflate     = &wire.Error{Code: 1007, Reason: "corrupt compressed data"}
	errTooBig      = &wire.Error{Code: 1009, Reason: "message too big"}
	errFragments   = &wire.Error{Code: 1008, Reason: "too many empty fragments"}
	errStalled     = &wire.Error{Code: 1008, Reason: "message does not progress"}
	errControls    = &wire.Error{Code: 1008, Reason: "too many control frames"}
	errRate        = &wire.Error{Code: 1008, Reason: "rate limit exceeded"}
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
	started := s.reading || s.state == StateConnecting
	if !started {
		s.reading = true
	}
	now := s.extra != nil && s.extra.early != nil || s.pending&workRead != 0
	s.mu.Unlock()
	switch {
	case started:
	case now:
		s.schedule(workRead)
	default:
		s.link.awaitRead()
	}
}

// readAll reads and processes until nothing is there, and reports whether the
// driver is to be asked for more. The bytes that came with the handshake are
// the first.
func (s *Socket) readAll(w *worker) (await bool) {
	lent := w.borrow()
	defer w.giveBack(lent)
	buf := *lent
	if early := s.takeEarly(); early != nil && !s.feed(early, false) {
		return false
	}
	for range readTurn {
		if !s.mayRead() {
			return false
		}
		into, direct := s.room(buf)
		n, err := s.link.read(into)
		if n > 0 {
			s.activity.Store(s.srv.engine.wheel.now())
			s.srv.stats.bytesReceived.Add(int64(n))
			if !s.feed(into[:n], direct) {
				return false
			}
		}
		if err == errAgain || err == nil && n < len(into) {
			return s.mayRead()
		}
		if err != nil {
			s.lost(err)
			return false
		}
	}
	s.schedule(workRead)
	return false
}

func (s *Socket) takeEarly() (early []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.extra; x != nil {
		early, x.early = x.early, nil
	}
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
// is no longer than what the peer has sent of the message already, or 64 KiB.
func (s *Socket) room(buf []byte) (into []byte, direct bool) {
	r := s.read
	if r == nil || !r.inFrame || r.frame.Op.IsControl() || r.frame.Length-r.at < directSize {
		return buf, false
	}
	have := len(r.data)
	r.data = slices.Grow(r.data, int(min(r.frame.Length-r.at, int64(max(have, directAhead)))))
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
	return err
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
				return err
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
			return err
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

func (s *Socket) maskError() error {
	if s.client {
		return errMasked
	}
	return errUnmasked
}

// admitFrame checks a header against the state of the connection.
func (s *Socket) admitFrame(h *wire.Header) error {
	if h.Masked == s.client {
		return s.maskError()
	}
	if h.Op.IsControl() {
		return s.admitControl(h.Op)
	}
	open := s.read != nil && s.read.message
	switch {
	case h.Op == wire.OpContinuation && !open:
		return errNoMessage
	case h.Op != wire.OpContinuation && open:
		return errInterleaved
	case h.Rsv1 && s.codec == nil:
		return errRSV1
	}
	had, compressed := int64(0), h.Rsv1
	if open {
		had, compressed = int64(len(s.read.data)), s.read.compressed
	}
	if h.Length > s.wireLimit(compressed)-had {
		return errTooBig
	}
	return nil
}

// wireLimit is the most payload that a message may have on the wire. Deflate
// adds a few bytes to what it can not compress.
func (s *Socket) wireLimit(compressed bool) int64 {
	limit := s.srv.opts.MaxMessageSize
	if compressed {
		limit += limit>>9 + 64
	}
	return limit
}

// openFrame begins a frame whose payload has not all arrived.
func (s *Socket) openFrame(h *wire.Header) {
	r := s.partial()
	r.frame, r.inFrame, r.at = *h, true, 0
	if !h.Op.IsControl() {
		s.openMessage(r, h)
	}
}

func (s *Socket) openMessage(r *reader, h *wire.Header) {
	if r.message {
		return
	}
	r.message, r.op, r.compressed = true, h.Op, h.Rsv1
	r.text = wire.UTF8{}
	s.watchProgress()
}

// payload takes what p has of the open frame's payload.
func (s *Socket) payload(r *reader, p []byte, received *int64) (n int, done bool, err error) {
	n = int(min(int64(len(p)), r.frame.Length-r.at))
	part := p[:n]
	if r.frame.Masked {
		wire.Mask(r.frame.Mask, int(r.at&3), part)
	}
	r.at += int64(n)
	ended := r.at == r.frame.Length
	if r.frame.Op.IsControl() {
		r.control = append(r.control, part...)
		if !ended {
			return n, false, nil
		}
		r.inFrame = false
		done, err = s.controlFrame(r.frame.Op, r.control)
		r.control = r.control[:0]
		return n, done, err
	}
	if err := s.extend(r, part); err != nil {
		return n, false, err
	}
	if !ended {
		return n, false, nil
	}
	r.inFrame = false
	if r.frame.Fin {
		return n, false, s.closeMessage(r, received)
	}
	return n, false, nil
}

// whole takes a frame whose payload is all there.
func (s *Socket) whole(h *wire.Header, body []byte, received *int64) (done bool, err error) {
	if h.Op.IsControl() {
		return s.controlFrame(h.Op, body)
	}
	if h.Fin && h.Op != wire.OpContinuation && !h.Rsv1 {
		if h.Op == wire.OpText && !wire.ValidText(body) {
			return false, errText
		}
		s.dropIdleReader()
		*received++
		return false, s.arrived(Message{MessageType(h.Op), body})
	}
	r := s.partial()
	s.openMessage(r, h)
	if h.Length == 0 && !h.Fin {
		if r.empty++; r.empty > maxEmptyFragments {
			return false, errFragments
		}
	}
	if err := s.extend(r, body); err != nil {
		return false, err
	}
	if h.Fin {
		return false, s.closeMessage(r, received)
	}
	return false, nil
}

// dropIdleReader gives back a reader that held no more than the header of this frame.
func (s *Socket) dropIdleReader() {
	if s.read != nil {
		s.dropReader()
	}
}

// extend appends unmasked payload to the open message. Text is checked as it
// comes (RFC 6455 §8.1), compressed text as it is inflated.
func (s *Socket) extend(r *reader, part []byte) error {
	if r.op == wire.OpText && !r.compressed && !r.text.Write(part) {
		return errText
	}
	if r.data == nil {
		r.data = make([]byte, 0, max(firstMessageSize, len(part)))
	}
	have := len(r.data)
	if end := r.data[have:cap(r.data)]; len(part) > 0 && len(end) > 0 && &end[0] == &part[0] {
		r.data = r.data[:have+len(part)]
	} else {
		r.data = append(r.data, part...)
	}
	if len(part) > 0 {
		r.empty = 0
		s.watchProgress()
	}
	return nil
}

// closeMessage hands on a message whose last frame has arrived.
func (s *Socket) closeMessage(r *reader, received *int64) error {
	m := Message{MessageType(r.op), r.data}
	r.message, r.empty = false, 0
	s.progressed()
	if r.compressed {
		*received++
		return s.inflate(r, m)
	}
	if r.op == wire.OpText && !r.text.Complete() {
		return errText
	}
	*received++
	s.read = nil // a callback may run long; nothing of it belongs to the next message
	err := s.arrived(m)
	s.read = r
	s.dropReader()
	return err
}

// inflate decompresses a message (RFC 7692 §7.2.2) and hands it on.
func (s *Socket) inflate(r *reader, m Message) error {
	buf := borrowBuffer()
	defer releaseBuffer(buf)
	var dict []byte
	c := s.codec
	if c.window != nil {
		dict = c.window.Bytes()
	}
	var check func([]byte) bool
	if m.Type == Text {
		check = r.text.Write
	}
	out, err := deflate.DecompressChecked((*buf)[:0], m.data, dict, s.srv.opts.MaxMessageSize, check)
	*buf = out
	switch {
	case errors.Is(err, deflate.ErrTooLarge):
		return errTooBig
	case errors.Is(err, deflate.ErrRefused), err == nil && check != nil && !r.text.Complete():
		return errText
	case err != nil:
		return errInflate
	}
	if c.window != nil {
		c.window.Append(out)
	}
	s.dropReader()
	return s.arrived(Message{m.Type, out})
}

// controlFrame handles a close, ping or pong; done ends the processing of input.
func (s *Socket) controlFrame(op wire.Opcode, payload []byte) (done bool, err error) {
	switch op {
	case wire.OpClose:
		return true, s.peerClosed(payload)
	case wire.OpPing:
		s.pinged(payload)
	case wire.OpPong:
		s.ponged(payload)
	}
	return false, nil
}

func (s *Socket) pinged(payload []byte) {
	s.mu.Lock()
	var callbacks []func([]byte)
	if s.extra != nil {
		callbacks = s.extra.ping
	}
	if s.state == StateOpen && !s.mute {
		s.answerPing(payload)
	}
	s.mu.Unlock()
	for _, f := range callbacks {
		s.protect(func() { f(payload) })
	}
}

// maxWaitingPongs bounds the pongs that a peer leaves unread; only the latest
// ping needs an answer (RFC 6455 §5.5.3).
const maxWaitingPongs = 64 * wire.MaxControlPayload

func (s *Socket) answerPing(payload []byte) {
	if s.blocked && s.out != nil && s.out.bytes > s.srv.opts.SendQueue+maxWaitingPongs {
		return
	}
	s.control(wire.OpPong, payload)
}

func (s *Socket) ponged(payload []byte) {
	s.mu.Lock()
	s.measure(payload)
	var callbacks []func([]byte)
	if s.extra != nil {
		callbacks = s.extra.pong
	}
	s.mu.Unlock()
	for _, f := range callbacks {
		s.protect(func() { f(payload) })
	}
}
