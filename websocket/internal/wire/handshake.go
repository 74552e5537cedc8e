package wire

import (
	"crypto/sha1"
	"encoding/base64"
	"strings"
)

// keyGUID is the constant of RFC 6455 section 1.3.
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AcceptKey returns the Sec-WebSocket-Accept that answers a Sec-WebSocket-Key,
// RFC 6455 section 4.2.2.
func AcceptKey(key string) string {
	sum := sha1.Sum([]byte(key + keyGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// ValidKey reports whether key is the base64 of exactly 16 bytes, RFC 6455
// section 4.2.1.
func ValidKey(key string) bool {
	if len(key) != 24 {
		return false
	}
	var nonce [18]byte
	n, err := base64.StdEncoding.Decode(nonce[:], []byte(key))
	return err == nil && n == 16
}

// TokenListContains reports whether token, in any case, is an element of the
// comma separated list that a header's lines make up (Connection, Upgrade), RFC
// 9110 section 5.6.1. It does not look at the other elements' syntax. Linear in
// the length of values.
func TokenListContains(values []string, token string) bool {
	for _, line := range values {
		for element := range strings.SplitSeq(line, ",") {
			if equalFoldASCII(trimSpace(element), token) {
				return true
			}
		}
	}
	return false
}

// ParseTokens returns the elements of a comma separated list of tokens
// (Sec-WebSocket-Protocol) in order. Empty elements are skipped, as RFC 9110
// section 5.6.1.2 asks; ok is false if one is not a token.
func ParseTokens(values []string) (tokens []string, ok bool) {
	for _, line := range values {
		for element := range strings.SplitSeq(line, ",") {
			element = trimSpace(element)
			if element == "" {
				continue
			}
			if !isToken(element) {
				return nil, false
			}
			tokens = append(tokens, element)
		}
	}
	return tokens, true
}

// trimSpace cuts RFC 9110's optional white space, and no other, off both ends.
func trimSpace(s string) string { return strings.Trim(s, " \t") }

// equalFoldASCII is strings.EqualFold without Unicode's extra matches: the
// Kelvin sign is no k.
func equalFoldASCII(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func isToken(s string) bool {
	for i := range len(s) {
		if !isTokenByte(s[i]) {
			return false
		}
	}
	return s != ""
}

// isTokenByte reports whether c is a tchar, RFC 9110 section 5.6.2.
func isTokenByte(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}
