package conn

import (
	"errors"
	"slices"
	"sync"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/limit"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	MaxEmptyFragments = 1000    // of one message, then 1008
	firstMessageSize  = 4 << 10 // bytes of a message buffer to begin with
	maxKeptMessage    = 2 << 20 // bytes of the largest message buffer that is kept
	directSize        = 8 << 10 // bytes of payload that have come, and that are still to come, to be read to where they belong
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

// input makes messages and control frames of the bytes that arrive (RFC 6455 §5). It
// is of the goroutine of the run, and knows no connection.
type input struct {
	part    *unfinished // nil between messages
	limiter *limit.Limiter
}

// unfinished is a frame or message that has not all arrived.
type unfinished struct {
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

// unit is what has arrived whole: a message or a control frame.
type unit struct {
	op    wire.Opcode // OpContinuation: nothing yet
	moved bool        // a message that came in parts has grown or ended
	data  []byte      // lent until release
	part  *unfinished // has data
	buf   *[]byte     // the same, if data was compressed
}

func (u *unit) whole() bool   { return u.op != wire.OpContinuation }
func (u *unit) message() bool { return u.whole() && !u.op.IsControl() }

// release ends the loan of a unit's bytes.
func (u *unit) release() {
	if u.part != nil {
		u.part.release()
	}
	if u.buf != nil {
		buffer.Release(u.buf)
	}
}

var allUnfinished = sync.Pool{New: func() any { return new(unfinished) }}

func (r *unfinished) release() {
	data := r.data[:0]
	if cap(data) > maxKeptMessage {
		data = nil
	}
	*r = unfinished{data: data, control: r.control[:0]}
	allUnfinished.Put(r)
}

// drop forgets what has not all arrived.
func (in *input) drop() {
	if in.part != nil {
		in.part.release()
		in.part = nil
	}
}

func (in *input) partial() *unfinished {
	if in.part == nil {
		in.part = allUnfinished.Get().(*unfinished)
	}
	return in.part
}

// open reports whether a message has begun and not ended.
func (in *input) open() bool { return in.part != nil && in.part.message }

// room is where to read to: buf, or, for a long payload, where it belongs. That
// is no longer than what the peer has sent of the message already.
func (in *input) room(buf []byte) []byte {
	r := in.part
	if r == nil || !r.inFrame || r.frame.Op.IsControl() || r.frame.Length-r.at < directSize {
		return buf
	}
	have := len(r.data)
	if have < directSize {
		return buf
	}
	r.data = slices.Grow(r.data, int(min(r.frame.Length-r.at, int64(have))))
	free := r.data[have:cap(r.data)]
	return free[:min(int64(len(free)), r.frame.Length-r.at)]
}

// next takes bytes off p up to the end of a unit, or all (RFC 6455 §5.2). k is nil if
// compression was not agreed on.
func (in *input) next(cfg *Config, k *codec, p []byte, u *unit) (rest []byte, err error) {
	*u = unit{}
	var h wire.Header
	for len(p) > 0 && !u.whole() {
		if r := in.part; r != nil && r.inFrame {
			n, err := in.payload(cfg, k, p, u)
			if err != nil {
				return nil, err
			}
			p = p[n:]
			continue
		}
		n, err := in.header(cfg, &h, p)
		if err != nil || n == 0 {
			return nil, err
		}
		p = p[n:]
		if err := in.checkHeader(cfg, k, &h); err != nil {
			return nil, err
		}
		if int64(len(p)) < h.Length {
			in.openFrame(&h, u)
			continue
		}
		body := p[:h.Length]
		p = p[h.Length:]
		if h.Masked {
			wire.Mask(h.Mask, 0, body)
		}
		if err := in.frame(cfg, k, &h, body, u); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// header parses a header that may have begun in an earlier read. n == 0: it
// has not ended.
func (in *input) header(cfg *Config, h *wire.Header, p []byte) (n int, err error) {
	if r := in.part; r != nil && r.headerN > 0 {
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
		if len(p) > 1 && (p[1]&0x80 != 0) == cfg.Client {
			return 0, maskError(cfg.Client)
		}
		r := in.partial()
		r.headerN = copy(r.header[:], p)
	}
	return n, err
}

func maskError(client bool) error {
	if client {
		return errMasked
	}
	return errUnmasked
}

// checkHeader checks the mask of a frame, and its header against what came before.
func (in *input) checkHeader(cfg *Config, k *codec, h *wire.Header) error {
	if h.Masked == cfg.Client {
		return maskError(cfg.Client)
	}
	if h.Op.IsControl() {
		if h.Op == wire.OpClose {
			return nil
		}
		return in.allow(cfg, int(h.Length))
	}
	open := in.open()
	switch {
	case h.Op == wire.OpContinuation && !open:
		return errNoMessage
	case h.Op != wire.OpContinuation && open:
		return errInterleaved
	case h.Rsv1 && k == nil:
		return errRSV1
	}
	had, compressed := int64(0), h.Rsv1
	if open {
		had, compressed = int64(len(in.part.data)), in.part.compressed
	}
	if h.Length > cfg.wireLimit(compressed)-had {
		return errTooBig
	}
	return nil
}

// wireLimit is the most payload that a message may have on the wire. Where it does
// not compress, stored blocks add a few bytes and the fixed code an eighth.
func (cfg *Config) wireLimit(compressed bool) int64 {
	limit := cfg.MaxMessage
	if compressed {
		limit += limit>>3 + 64
	}
	return limit
}

// allow counts what has come, and fails if it is too much.
func (in *input) allow(cfg *Config, size int) error {
	if in.limiter == nil {
		if cfg.Limit.None() {
			return nil
		}
		in.limiter = new(limit.Limiter)
	}
	if !in.limiter.Take(&cfg.Limit, size, cfg.Loop.Now()) {
		return errRate
	}
	return nil
}

// share has what arrives count towards a limit that others share; nil: none.
func (in *input) share(s *limit.Shared) {
	if in.limiter == nil && s != nil {
		in.limiter = new(limit.Limiter)
	}
	if in.limiter != nil {
		in.limiter.Shared = s
	}
}

// openFrame begins a frame whose payload has not all arrived.
func (in *input) openFrame(h *wire.Header, u *unit) {
	r := in.partial()
	r.frame, r.inFrame, r.at = *h, true, 0
	if h.Op.IsControl() {
		r.control = r.control[:0]
		return
	}
	r.openMessage(h, u)
}

func (r *unfinished) openMessage(h *wire.Header, u *unit) {
	if r.message {
		return
	}
	u.moved = true
	r.message, r.op, r.compressed = true, h.Op, h.Rsv1
	r.text = wire.UTF8{}
}

// payload takes what p has of the open frame's payload.
func (in *input) payload(cfg *Config, k *codec, p []byte, u *unit) (n int, err error) {
	r := in.part
	n = int(min(int64(len(p)), r.frame.Length-r.at))
	part := p[:n]
	if r.frame.Masked {
		wire.Mask(r.frame.Mask, int(r.at&3), part)
	}
	r.at += int64(n)
	r.inFrame = r.at < r.frame.Length
	if r.frame.Op.IsControl() {
		r.control = append(r.control, part...)
		if !r.inFrame {
			u.op, u.data = r.frame.Op, r.control
		}
		return n, nil
	}
	err = r.extend(part, u)
	if err == nil && !r.inFrame && r.frame.Fin {
		err = in.closeMessage(cfg, k, u)
	}
	return n, err
}

// frame takes a frame whose payload is all there.
func (in *input) frame(cfg *Config, k *codec, h *wire.Header, body []byte, u *unit) error {
	if h.Op.IsControl() {
		u.op, u.data = h.Op, body
		return nil
	}
	if h.Fin && h.Op != wire.OpContinuation && !h.Rsv1 {
		if h.Op == wire.OpText && !wire.ValidText(body) {
			return errText
		}
		in.drop() // if there is something, it is no more than this frame's header
		u.op, u.data = h.Op, body
		return nil
	}
	r := in.partial()
	r.openMessage(h, u)
	if h.Length == 0 && !h.Fin {
		if r.empty++; r.empty > MaxEmptyFragments {
			return errFragments
		}
	}
	if err := r.extend(body, u); err != nil {
		return err
	}
	if h.Fin {
		return in.closeMessage(cfg, k, u)
	}
	return nil
}

// extend appends unmasked payload to the open message. Text is checked as it
// comes (RFC 6455 §8.1), compressed text as it is inflated.
func (r *unfinished) extend(part []byte, u *unit) error {
	if r.op == wire.OpText && !r.compressed && !r.text.Write(part) {
		return errText
	}
	if r.data == nil {
		r.data = make([]byte, 0, max(firstMessageSize, len(part)))
	}
	have := len(r.data)
	if end := r.data[have:cap(r.data)]; len(part) > 0 && len(end) > 0 && &end[0] == &part[0] {
		r.data = r.data[:have+len(part)] // it was read to its place
	} else {
		r.data = append(r.data, part...)
	}
	if len(part) > 0 {
		r.empty, u.moved = 0, true
	}
	return nil
}

// closeMessage makes a unit of a message whose last frame has arrived.
func (in *input) closeMessage(cfg *Config, k *codec, u *unit) error {
	r := in.part
	r.message, r.empty = false, 0
	u.moved = true
	if r.compressed {
		u.op = r.op
		return in.inflate(cfg, k, u)
	}
	if r.op == wire.OpText && !r.text.Complete() {
		return errText
	}
	u.op, u.data, u.part = r.op, r.data, r
	in.part = nil
	return nil
}

// inflate decompresses a message (RFC 7692 §7.2.2).
func (in *input) inflate(cfg *Config, k *codec, u *unit) error {
	r := in.part
	u.buf = buffer.Borrow()
	var dict []byte
	if k.window != nil {
		dict = k.window.Bytes()
	}
	var check func([]byte) bool
	if r.op == wire.OpText {
		check = r.text.Write
	}
	out, err := deflate.DecompressChecked((*u.buf)[:0], r.data, dict, cfg.MaxMessage, check)
	*u.buf, u.data = out, out
	switch {
	case errors.Is(err, deflate.ErrTooLarge):
		return errTooBig
	case errors.Is(err, deflate.ErrRefused), err == nil && check != nil && !r.text.Complete():
		return errText
	case err != nil:
		return errInflate
	}
	if k.window != nil {
		k.window.Append(out)
	}
	in.drop()
	return nil
}
