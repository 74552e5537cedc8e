package conn

import (
	"sync"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// codec is what permessage-deflate (RFC 7692) needs for one connection.
type codec struct {
	sendBits uint8

	mu         sync.Mutex          // keeps compressing and queueing in one order
	compressor *deflate.Compressor // nil: no context takeover when sending
	window     *deflate.Window     // nil: none when receiving; of the goroutine of the run
}

// Compress has the connection use what was agreed on. It is for before the 101.
func (c *Conn) Compress(d wire.Deflate) {
	bits, sendAlone, readAlone := d.ServerMaxWindowBits, d.ServerNoContextTakeover, d.ClientNoContextTakeover
	if c.cfg.Client {
		bits, sendAlone, readAlone = d.ClientMaxWindowBits, d.ClientNoContextTakeover, d.ServerNoContextTakeover
	}
	if bits == 0 {
		bits = 15
	}
	c.codec = &codec{sendBits: uint8(bits)}
	if !sendAlone {
		c.codec.compressor = deflate.NewCompressor(c.cfg.Level, bits)
	}
	if !readAlone {
		c.codec.window = new(deflate.Window)
	}
}

// alike reports whether what was compressed for one can be sent with the other.
func (k *codec) alike(other *codec) bool {
	if k == nil || other == nil {
		return k == other
	}
	return k.sendBits == other.sendBits && !k.takeover() && !other.takeover() && (k.window == nil) == (other.window == nil)
}

// takeover reports whether what is sent may refer to what was sent before.
func (k *codec) takeover() bool { return k != nil && k.compressor != nil }

// Frame is a message for any number of connections: framed once, and compressed at
// most once for each window size. It is safe from any goroutine and never changes.
type Frame struct {
	op     wire.Opcode
	plain  []byte // the whole frame
	header int    // bytes of its header

	mu       sync.Mutex       // guards deflated
	deflated map[uint8][]byte // frames by window bits
}

// Set makes f the frame of a message, which is copied. It is for a new Frame.
func (f *Frame) Set(op wire.Opcode, data []byte) {
	h := wire.Header{Fin: true, Op: op, Length: int64(len(data))}
	b := wire.AppendHeader(make([]byte, 0, len(data)+10), h)
	f.op, f.header = op, len(b)
	f.plain = append(b, data...)
}

// Op is the type of the message.
func (f *Frame) Op() wire.Opcode { return f.op }

// IsSet reports whether Set was called.
func (f *Frame) IsSet() bool { return f.plain != nil }

// Payload is the message, which must not be changed.
func (f *Frame) Payload() []byte { return f.plain[f.header:] }

// Twin is the same message, of which no compressed frame is kept yet.
func (f *Frame) Twin() *Frame { return &Frame{op: f.op, plain: f.plain, header: f.header} }

// Size is about how many bytes the message takes with what was compressed of it.
func (f *Frame) Size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := frameCost + len(f.plain)
	for _, frame := range f.deflated {
		n += deflatedCost
		if len(frame) != len(f.plain) { // else it is that
			n += len(frame)
		}
	}
	return n
}

const (
	frameCost    = 64
	deflatedCost = 320 // a map of few
)

// compressed returns the compressed frame, or the plain one if that is not longer.
func (f *Frame) compressed(level int, bits uint8) []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	if frame, ok := f.deflated[bits]; ok {
		return frame
	}
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	*buf = deflate.Compress((*buf)[:0], f.Payload(), level, int(bits))
	frame := f.plain
	if len(*buf) < len(f.Payload()) {
		frame = wire.AppendFrame(make([]byte, 0, len(*buf)+10), f.op, true, *buf)
	}
	if f.deflated == nil {
		f.deflated = make(map[uint8][]byte, 1)
	}
	f.deflated[bits] = frame
	return frame
}

// TextFrame is the frame of a text of the server's, which is not compressed.
func TextFrame(text []byte) []byte { return wire.AppendFrame(nil, wire.OpText, false, text) }
