package websocket

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Prepared is a message encoded once for any number of sockets: framed once,
// and compressed at most once for each window size. It is safe from any
// goroutine and never changes.
type Prepared struct {
	Type   MessageType
	plain  []byte // the frame
	header int    // bytes of its header

	mu       sync.Mutex       // guards deflated
	deflated map[uint8][]byte // frames by window bits
}

// Prepare encodes v as Send does. Its error is that of encoding/json.
func Prepare(v any) (*Prepared, error) {
	if p, ok := v.(*Prepared); ok {
		return p, p.check()
	}
	t, data, err := encode(v)
	if err != nil {
		return nil, err
	}
	h := wire.Header{Fin: true, Op: t.opcode(), Length: int64(len(data))}
	frame := wire.AppendHeader(make([]byte, 0, len(data)+10), h)
	n := len(frame)
	return &Prepared{Type: t, plain: append(frame, data...), header: n}, nil
}

func (p *Prepared) check() error {
	if p == nil || p.plain == nil {
		return errors.New("websocket: message was not made by Prepare")
	}
	return nil
}

func (p *Prepared) payload() []byte { return p.plain[p.header:] }

// compressed returns the compressed frame, or the plain one where that is no
// longer.
func (p *Prepared) compressed(level int, bits uint8) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if frame, ok := p.deflated[bits]; ok {
		return frame
	}
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	*buf = deflate.Compress((*buf)[:0], p.payload(), level, int(bits))
	frame := p.plain
	if len(*buf) < len(p.payload()) {
		frame = wire.AppendFrame(make([]byte, 0, len(*buf)+10), p.Type.opcode(), true, *buf)
	}
	if p.deflated == nil {
		p.deflated = make(map[uint8][]byte, 1)
	}
	p.deflated[bits] = frame
	return frame
}

// codec is what permessage-deflate needs for one socket.
type codec struct {
	sendBits uint8

	mu         sync.Mutex          // keeps compressing and queueing in one order
	compressor *deflate.Compressor // nil: no context takeover when sending
	window     *deflate.Window     // nil: none when receiving; of the running goroutine
}

func newCodec(d wire.Deflate, level int, client bool) *codec {
	sendBits, sendAlone := d.ServerMaxWindowBits, d.ServerNoContextTakeover
	readAlone := d.ClientNoContextTakeover
	if client {
		sendBits, sendAlone, readAlone = d.ClientMaxWindowBits, d.ClientNoContextTakeover, d.ServerNoContextTakeover
	}
	if sendBits == 0 {
		sendBits = 15
	}
	c := &codec{sendBits: uint8(sendBits)}
	if !sendAlone {
		c.compressor = deflate.NewCompressor(level, sendBits)
	}
	if !readAlone {
		c.window = new(deflate.Window)
	}
	return c
}

func encodeJSON(v any) ([]byte, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("websocket: encode message: %w", err)
	}
	return data, nil
}
