package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
)

// First byte of a frame (RFC 6455 §5.2).
const (
	fin        = 0x80
	rsv1       = 0x40 // compressed (RFC 7692 §6)
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xa
	opMask     = 0x0f
	maskBit    = 0x80
	maxPayload = 16 << 20 // bytes; no server here should send more
)

var errFrame = errors.New("unexpected frame")

// clientFrame returns a frame of a client. The key is always the same: on loopback it
// hides nothing, and the server's work does not depend on it.
func clientFrame(first byte, payload []byte) []byte {
	key := [4]byte{0x5a, 0xc3, 0x17, 0x9e}
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, maskBit|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, maskBit|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, maskBit|127), uint64(n))
	}
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i&3])
	}
	return b
}

// frame is a frame that the server sent; payload points into the buffer.
type frame struct {
	first   byte
	payload []byte
}

// parse parses the frame at the start of b and returns how many bytes it has, 0 if it is
// not complete.
func parse(b []byte) (f frame, n int, err error) {
	if len(b) < 2 {
		return f, 0, nil
	}
	head, size := 2, uint64(b[1])
	switch {
	case b[1]&maskBit != 0:
		return f, 0, errFrame
	case size == 126 && len(b) >= 4:
		head, size = 4, uint64(binary.BigEndian.Uint16(b[2:]))
	case size == 127 && len(b) >= 10:
		head, size = 10, binary.BigEndian.Uint64(b[2:])
	case size >= 126:
		return f, 0, nil
	}
	if size > maxPayload {
		return f, 0, errFrame
	}
	n = head + int(size)
	if len(b) < n {
		return f, 0, nil
	}
	return frame{b[0], b[head:n]}, n, nil
}

// message is one message of the load, ready to send, and what its echo must be.
type message struct {
	sent []byte // whole frame
	op   byte
	text []byte

	packed  bool // the text is sent compressed
	lines   bool // a frame has several lines, some of which are messages
	wrapped int  // bytes that a message may have besides text
}

// newMessage makes JSON text that compresses like that of an application: the same keys
// again and again, with different values.
func newMessage(c config) (message, error) {
	m := message{op: opText, text: jsonText(c.size)}
	if c.socketIO {
		m.text = socketIOEvent(strings.TrimPrefix(c.path, "/"), bytes.ReplaceAll(m.text, []byte{'"'}, []byte{'.'}))
	}
	if c.binary {
		m.op = opBinary
	}
	m.sent = clientFrame(fin|m.op, m.text)
	if c.centrifugo {
		m.asCentrifugo(strings.TrimPrefix(c.path, "/"))
	}
	if !c.deflate {
		return m, nil
	}
	packed, err := pack(m.text)
	m.packed, m.sent = true, clientFrame(fin|rsv1|m.op, packed)
	return m, err
}

// jsonText returns that many bytes from the beginning of a list.
func jsonText(size int) []byte {
	b := []byte("[")
	for i, seed := 0, uint32(1); len(b) < size; i++ {
		seed = seed*1664525 + 1013904223 // Numerical Recipes' generator: the same in all runs
		b = fmt.Appendf(b, `{"id":%d,"user":"user%d","room":"general","text":"message %x","likes":%d},`,
			i, seed>>20, seed, seed>>28)
	}
	return b[:size]
}

// pack compresses a message (RFC 7692 §7.2.1).
func pack(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, err
	}
	w.Write(text)
	if err := w.Flush(); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff}), nil
}

// in counts the messages in a frame; false: it has something else.
func (m message) in(f frame) (n int, ok bool) {
	if m.lines {
		return m.inLines(f)
	}
	return 1, m.same(f)
}

// same reports whether f is the echo. If it is compressed, only its kind is checked:
// inflating it would be more work for the client than for the server.
func (m message) same(f frame) bool {
	if m.packed {
		return f.first == fin|rsv1|m.op
	}
	return f.first == fin|m.op && bytes.Equal(f.payload, m.text)
}

// inflates sends m once and fails if the echo is not m, compressed.
func inflates(p *peer, m message) error {
	p.room(1, m)
	if _, err := p.Write(m.sent); err != nil {
		return err
	}
	f, err := p.next()
	if err != nil {
		return err
	}
	text, err := unpack(f.payload)
	if err != nil || !m.same(f) || !bytes.Equal(text, m.text) {
		return fmt.Errorf("%w: first byte %#x, %.40q: %v", errFrame, f.first, text, err)
	}
	return nil
}

// unpack decompresses a message (RFC 7692 §7.2.2). The empty block that it appends is one
// that ends a stream.
func unpack(b []byte) ([]byte, error) {
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(b), tail)))
}
