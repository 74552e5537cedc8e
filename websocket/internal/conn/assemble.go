package conn

import (
	"errors"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	MaxEmptyFragments = 1000    // of one message, then 1008
	firstMessageSize  = 4 << 10 // bytes of a message buffer to begin with
)

var (
	errUnmasked    = &wire.Error{Code: protocolError, Reason: "frame is not masked"}       // RFC 6455 §5.1
	errMasked      = &wire.Error{Code: protocolError, Reason: "frame is masked"}           // RFC 6455 §5.1
	errRSV1        = &wire.Error{Code: protocolError, Reason: "compression not agreed on"} // RFC 6455 §5.2
	errNoMessage   = &wire.Error{Code: protocolError, Reason: "continuation without a message"}
	errInterleaved = &wire.Error{Code: protocolError, Reason: "message inside a message"}
	errText        = &wire.Error{Code: invalidPayload, Reason: "text is not UTF-8"}
	errInflate     = &wire.Error{Code: invalidPayload, Reason: "corrupt compressed data"}
	errTooBig      = &wire.Error{Code: messageTooBig, Reason: "message too big"}
	errFragments   = &wire.Error{Code: policyViolation, Reason: "too many empty fragments"}
	errStalled     = &wire.Error{Code: policyViolation, Reason: "message does not progress"}
	errRate        = &wire.Error{Code: policyViolation, Reason: "rate limit exceeded"}
)

func (c *Conn) maskError() error {
	if c.cfg.Client {
		return errMasked
	}
	return errUnmasked
}

// admitFrame checks a header against the state of the connection.
func (c *Conn) admitFrame(h *wire.Header) error {
	if h.Masked == c.cfg.Client {
		return c.maskError()
	}
	if h.Op.IsControl() {
		if h.Op == wire.OpClose {
			return nil
		}
		return c.limit(int(h.Length))
	}
	open := c.read != nil && c.read.message
	switch {
	case h.Op == wire.OpContinuation && !open:
		return errNoMessage
	case h.Op != wire.OpContinuation && open:
		return errInterleaved
	case h.Rsv1 && c.codec == nil:
		return errRSV1
	}
	had, compressed := int64(0), h.Rsv1
	if open {
		had, compressed = int64(len(c.read.data)), c.read.compressed
	}
	if h.Length > c.wireLimit(compressed)-had {
		return errTooBig
	}
	return nil
}

// wireLimit is the most payload that a message may have on the wire. Where it does
// not compress, stored blocks add a few bytes and the fixed code an eighth.
func (c *Conn) wireLimit(compressed bool) int64 {
	limit := c.cfg.MaxMessage
	if compressed {
		limit += limit>>3 + 64
	}
	return limit
}

// openFrame begins a frame whose payload has not all arrived.
func (c *Conn) openFrame(h *wire.Header) {
	r := c.partial()
	r.frame, r.inFrame, r.at = *h, true, 0
	if !h.Op.IsControl() {
		c.openMessage(r, h)
	}
}

func (c *Conn) openMessage(r *reader, h *wire.Header) {
	if r.message {
		return
	}
	r.message, r.op, r.compressed = true, h.Op, h.Rsv1
	r.text = wire.UTF8{}
	c.watchProgress()
}

// payload takes what p has of the open frame's payload.
func (c *Conn) payload(r *reader, p []byte, received *int64) (n int, done bool, err error) {
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
		done, err = c.controlFrame(r.frame.Op, r.control)
		r.control = r.control[:0]
		return n, done, err
	}
	if err := c.extend(r, part); err != nil {
		return n, false, err
	}
	if !ended {
		return n, false, nil
	}
	r.inFrame = false
	if r.frame.Fin {
		return n, false, c.closeMessage(r, received)
	}
	return n, false, nil
}

// whole takes a frame whose payload is all there.
func (c *Conn) whole(h *wire.Header, body []byte, received *int64) (done bool, err error) {
	if h.Op.IsControl() {
		return c.controlFrame(h.Op, body)
	}
	if h.Fin && h.Op != wire.OpContinuation && !h.Rsv1 {
		if h.Op == wire.OpText && !wire.ValidText(body) {
			return false, errText
		}
		c.dropReader() // if there is one, it held no more than this frame's header
		*received++
		return false, c.arrived(h.Op, body)
	}
	r := c.partial()
	c.openMessage(r, h)
	if h.Length == 0 && !h.Fin {
		if r.empty++; r.empty > MaxEmptyFragments {
			return false, errFragments
		}
	}
	if err := c.extend(r, body); err != nil {
		return false, err
	}
	if h.Fin {
		return false, c.closeMessage(r, received)
	}
	return false, nil
}

// extend appends unmasked payload to the open message. Text is checked as it
// comes (RFC 6455 §8.1), compressed text as it is inflated.
func (c *Conn) extend(r *reader, part []byte) error {
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
		c.watchProgress()
	}
	return nil
}

// closeMessage hands on a message whose last frame has arrived.
func (c *Conn) closeMessage(r *reader, received *int64) error {
	r.message, r.empty = false, 0
	c.progressed()
	if r.compressed {
		*received++
		return c.inflate(r)
	}
	if r.op == wire.OpText && !r.text.Complete() {
		return errText
	}
	*received++
	c.read = nil // a callback may run long; nothing of it belongs to the next message
	err := c.arrived(r.op, r.data)
	c.read = r
	c.dropReader()
	return err
}

// inflate decompresses a message (RFC 7692 §7.2.2) and hands it on.
func (c *Conn) inflate(r *reader) error {
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	var dict []byte
	op, window := r.op, c.codec.window
	if window != nil {
		dict = window.Bytes()
	}
	var check func([]byte) bool
	if op == wire.OpText {
		check = r.text.Write
	}
	out, err := deflate.DecompressChecked((*buf)[:0], r.data, dict, c.cfg.MaxMessage, check)
	*buf = out
	switch {
	case errors.Is(err, deflate.ErrTooLarge):
		return errTooBig
	case errors.Is(err, deflate.ErrRefused), err == nil && check != nil && !r.text.Complete():
		return errText
	case err != nil:
		return errInflate
	}
	if window != nil {
		window.Append(out)
	}
	c.dropReader()
	return c.arrived(op, out)
}

// controlFrame handles a close, ping or pong; done ends the processing of input.
func (c *Conn) controlFrame(op wire.Opcode, payload []byte) (done bool, err error) {
	switch op {
	case wire.OpClose:
		return true, c.peerClosed(payload)
	case wire.OpPing:
		c.pinged(payload)
	case wire.OpPong:
		c.ponged(payload)
	}
	return false, nil
}

// pinged answers a ping (RFC 6455 §5.5.2), and then tells of it.
func (c *Conn) pinged(payload []byte) {
	c.mu.Lock()
	write := false
	if c.phase == Open && !c.sealedLocked() {
		c.controlLocked(wire.OpPong, payload)
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
	c.measureLocked(payload)
	c.mu.Unlock()
	c.owner.Control(wire.OpPong, payload)
}
