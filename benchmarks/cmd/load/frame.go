package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
)

// RFC 6455 section 5.2, first byte of a frame.
const (
	fin        = 0x80
	rsv1       = 0x40 // compressed, RFC 7692 section 6
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opMask     = 0x0f
	maskBit    = 0x80
	maxPayload = 16 << 20 // bytes; no server here has a reason to send more
)

var errFrame = errors.New("frame is not one that this load asked for")

// clientFrame is a whole frame as a client sends it. The key is the same every
// time: it hides nothing on loopback, and the server's work does not depend on it.
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

// frame is one that the server sent; payload points into the buffer.
type frame struct {
	first   byte
	payload []byte
}

// parse takes one frame off b and says how many bytes it has; 0 bytes where b
// does not hold it whole.
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

// message is one message of the load, ready to send, and how its echo is known.
type message struct {
	sent []byte // whole frame
	op   byte
	text []byte
}

// newMessage makes text that compresses as chat does: words, not noise.
func newMessage(c config) (message, error) {
	words := []byte("the quick brown fox jumps over the lazy dog 0123456789 ")
	text := bytes.Repeat(words, c.size/len(words)+1)[:c.size]
	m := message{op: opText, text: text}
	if c.binary {
		m.op = opBinary
	}
	if !c.deflate {
		m.sent = clientFrame(fin|m.op, text)
		return m, nil
	}
	packed, err := pack(text)
	m.sent = clientFrame(fin|rsv1|m.op, packed)
	return m, err
}

// pack is RFC 7692 section 7.2.1.
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

// same tells whether f is the echo. Of a compressed one only the kind is
// checked: inflating it would load the client more than the server.
func (m message) same(f frame) bool {
	if f.first&rsv1 != 0 {
		return f.first == fin|rsv1|m.op
	}
	return f.first == fin|m.op && bytes.Equal(f.payload, m.text)
}
