package wire

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"
)

// maxCloseReason is what the two bytes of the code leave of a control payload.
const maxCloseReason = MaxControlPayload - 2

// ValidCloseCode reports whether code may stand in a close frame: those of RFC
// 6455 section 7.4.1 that are meant for the wire, those registered since with
// IANA (1012 to 1014), and 3000 to 4999 for libraries and applications.
func ValidCloseCode(code uint16) bool {
	switch {
	case code >= 3000:
		return code <= 4999
	case code >= 1007:
		return code <= 1014
	}
	return code >= 1000 && code <= 1003
}

// ParseClose reads a close frame's payload, RFC 6455 section 5.5.1. Without one
// the code is 1005. It fails with an *Error: 1002 for a payload of one byte or
// a code that may not be sent, 1007 for a reason that is not UTF-8.
func ParseClose(payload []byte) (code uint16, reason string, err error) {
	if len(payload) == 0 {
		return codeNoStatus, "", nil
	}
	if len(payload) == 1 {
		return 0, "", ErrClosePayload
	}
	code = binary.BigEndian.Uint16(payload)
	if !ValidCloseCode(code) {
		return 0, "", ErrCloseCode
	}
	if !utf8.Valid(payload[2:]) {
		return 0, "", ErrCloseReason
	}
	return code, string(payload[2:]), nil
}

// AppendClose appends a close frame's payload. A code that may not be sent
// (0, 1005, 1006, 1015, …) makes it empty. A reason is cut to the 123 bytes
// that fit, between runes, after its invalid bytes have become U+FFFD.
func AppendClose(dst []byte, code uint16, reason string) []byte {
	if !ValidCloseCode(code) {
		return dst
	}
	dst = binary.BigEndian.AppendUint16(dst, code)
	return append(dst, cutReason(strings.ToValidUTF8(reason, "\uFFFD"))...)
}

// cutReason returns the longest prefix of valid UTF-8 s that fits and ends
// between runes.
func cutReason(s string) string {
	if len(s) <= maxCloseReason {
		return s
	}
	n := maxCloseReason
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
