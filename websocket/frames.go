package websocket

import (
	"errors"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	maxEmptyFragments = 1000    // of one message, then 1008
	firstMessageSize  = 4 << 10 // bytes of a message buffer to begin with
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
	errRate        = &wire.Error{Code: 1008, Reason: "rate limit exceeded"}
)

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
		if h.Op == wire.OpClose {
			return nil
		}
		return s.admitMessage(int(h.Length))
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

// wireLimit is the most payload that a message may have on the wire. Where it does
// not compress, stored blocks add a few bytes and the fixed code an eighth.
func (s *Socket) wireLimit(compressed bool) int64 {
	limit := s.srv.opts.MaxMessageSize
	if compressed {
		limit += limit>>3 + 64
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
		s.dropReader() // if there is one, it held no more than this frame's header
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
	buf := buffer.Borrow()
	defer buffer.Release(buf)
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
	flush := false
	if s.state == StateOpen && !s.mute {
		s.control(wire.OpPong, payload)
		flush = s.mayFlush()
	}
	s.mu.Unlock()
	if flush {
		s.flush()
	}
	for _, f := range callbacks {
		s.protect(func() { f(payload) })
	}
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
