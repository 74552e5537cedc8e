package wire

import (
	"encoding/binary"
	"math"
)

// Opcode says how a frame's payload is to be read, RFC 6455 section 5.2.
type Opcode byte

// The opcodes that RFC 6455 section 11.8 defines; all others are reserved.
const (
	OpContinuation Opcode = 0x0
	OpText         Opcode = 0x1
	OpBinary       Opcode = 0x2
	OpClose        Opcode = 0x8
	OpPing         Opcode = 0x9
	OpPong         Opcode = 0xA
)

// IsControl reports whether frames of this opcode may stand between the
// fragments of a message, RFC 6455 section 5.5.
func (op Opcode) IsControl() bool { return op&0x8 != 0 }

const (
	// MaxHeaderSize is the longest frame header in bytes: 2, a 64-bit length
	// and a masking key.
	MaxHeaderSize = 14
	// MaxControlPayload is the most bytes that a control frame may carry,
	// RFC 6455 section 5.5.
	MaxControlPayload = 125
)

// The bits of a header's first two bytes, and the two values of the 7-bit
// length that announce a longer one, RFC 6455 section 5.2.
const (
	finBit  = 0x80
	rsv1Bit = 0x40
	rsv2Bit = 0x20
	rsv3Bit = 0x10
	opMask  = 0x0F
	maskBit = 0x80
	lenMask = 0x7F
	len16   = 126
	len64   = 127
)

// Header is a frame's header, RFC 6455 section 5.2. RSV2 and RSV3 have no place
// in it because no extension of ours gives them a meaning. Its 16 bytes are one
// register's worth to copy; hand it on by pointer where time counts.
type Header struct {
	Fin    bool
	Rsv1   bool // compressed, RFC 7692 section 6
	Op     Opcode
	Masked bool
	Mask   [4]byte
	Length int64 // payload in bytes, never negative
}

// legalFirst holds the first bytes that a frame can begin with: fragments and
// whole messages, compressed or not, their continuations, and whole control
// frames. firstByteError says what is wrong with the others.
var legalFirst = [256]bool{
	0x00: true, 0x01: true, 0x02: true, 0x41: true, 0x42: true,
	0x80: true, 0x81: true, 0x82: true, 0xC1: true, 0xC2: true,
	0x88: true, 0x89: true, 0x8A: true,
}

// ParseHeader reads the header at the start of b and says how many bytes it
// took. It returns n == 0 and no error if more bytes are needed, and an *Error
// as soon as the bytes at hand cannot begin a legal header, whatever follows.
//
// It refuses what needs no knowledge of the connection: reserved opcodes, RSV2
// and RSV3, RSV1 where permessage-deflate forbids it (control and continuation
// frames, RFC 7692 section 6.1), fragmented or long control frames, and lengths
// that are out of range or not in their shortest form. Masking, RSV1 on
// messages, the order of fragments and the size limit are the caller's to check.
func ParseHeader(b []byte) (h Header, n int, err error) {
	n, err = h.Parse(b)
	return h, n, err
}

// Parse is ParseHeader into h, which it changes only if n > 0. It spares the
// copies, which take longer than the parsing.
func (h *Header) Parse(b []byte) (n int, err error) {
	if len(b) < 2 || !legalFirst[b[0]] {
		return 0, firstByteError(b)
	}
	b0, b1 := b[0], b[1]
	length, n := int64(b1&lenMask), 2
	if length > MaxControlPayload {
		if Opcode(b0 & opMask).IsControl() {
			return 0, ErrLongControl
		}
		if length, n, err = extendedLength(b); n == 0 {
			return 0, err
		}
	}
	masked, key := b1&maskBit != 0, [4]byte{}
	if masked {
		if len(b) < n+4 {
			return 0, nil
		}
		key = [4]byte(b[n:])
		n += 4
	}
	h.Fin, h.Rsv1, h.Op = b0&finBit != 0, b0&rsv1Bit != 0, Opcode(b0&opMask)
	h.Masked, h.Mask, h.Length = masked, key, length
	return n, nil
}

// firstByteError returns why no frame begins like b, or nil if one does or if b
// is empty.
func firstByteError(b []byte) error {
	if len(b) == 0 || legalFirst[b[0]] {
		return nil
	}
	op := Opcode(b[0] & opMask)
	switch {
	case op > OpPong || op > OpBinary && op < OpClose:
		return ErrReservedOpcode
	case b[0]&(rsv1Bit|rsv2Bit|rsv3Bit) != 0:
		return ErrReservedBits
	}
	return ErrFragmentedControl
}

// extendedLength reads the 16- or 64-bit length that follows b[1], and returns
// the header's size without a key, or 0 as long as b ends too early.
func extendedLength(b []byte) (length int64, n int, err error) {
	if b[1]&lenMask == len16 {
		return length16(b[2:])
	}
	return length64(b[2:])
}

func length16(b []byte) (int64, int, error) {
	if len(b) < 2 {
		return 0, 0, nil
	}
	length := int64(binary.BigEndian.Uint16(b))
	if length < len16 {
		return 0, 0, ErrLengthNotMinimal
	}
	return length, 4, nil
}

// length64 needs all eight bytes for a length, but only the first for an
// overflow and only six zeros for a length that would have fitted in 16 bits.
func length64(b []byte) (int64, int, error) {
	if len(b) >= 1 && b[0]&0x80 != 0 {
		return 0, 0, ErrLengthOverflow
	}
	if len(b) >= 6 && b[0]|b[1]|b[2]|b[3]|b[4]|b[5] == 0 {
		return 0, 0, ErrLengthNotMinimal
	}
	if len(b) < 8 {
		return 0, 0, nil
	}
	return int64(binary.BigEndian.Uint64(b)), 10, nil
}

// AppendHeader appends h to dst with its length in the shortest form, and the
// key if h is masked. It checks nothing, so that tests can write illegal frames.
func AppendHeader(dst []byte, h Header) []byte {
	b0 := byte(h.Op) | bit(h.Fin, finBit) | bit(h.Rsv1, rsv1Bit)
	dst = appendLength(append(dst, b0), bit(h.Masked, maskBit), h.Length)
	if h.Masked {
		dst = append(dst, h.Mask[:]...)
	}
	return dst
}

// AppendFrame appends a whole unmasked frame with FIN set, as a server sends it.
func AppendFrame(dst []byte, op Opcode, rsv1 bool, payload []byte) []byte {
	b0 := byte(op) | finBit | bit(rsv1, rsv1Bit)
	dst = appendLength(append(dst, b0), 0, int64(len(payload)))
	return append(dst, payload...)
}

// appendLength appends a header's second byte, mask being its top bit, and the
// extended length if there is one.
func appendLength(dst []byte, mask byte, length int64) []byte {
	switch {
	case length <= MaxControlPayload:
		return append(dst, mask|byte(length))
	case length <= math.MaxUint16:
		return append(dst, mask|len16, byte(length>>8), byte(length))
	}
	return binary.BigEndian.AppendUint64(append(dst, mask|len64), uint64(length))
}

// bit returns v if set, and 0 if not.
func bit(set bool, v byte) byte {
	if set {
		return v
	}
	return 0
}
