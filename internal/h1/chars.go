package h1

import "encoding/binary"

// Classes of bytes.
const (
	tokenChar   = 1 << iota // of names and methods (RFC 9110 §5.6.2)
	pathChar                // of a path that url.URL has as it came, without RawPath
	hostChar                // of the value of Host, as net/http has them
	valueChar               // of the value of a field (RFC 9110 §5.5), the blanks included
	visibleChar             // of ASCII
)

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)

var chars = classes()

func classes() (table [256]uint8) {
	mark := func(class uint8, set string) {
		for i := range len(set) {
			table[set[i]] |= class
		}
	}
	mark(tokenChar, digits+letters+"!#$%&'*+-.^_`|~")
	mark(pathChar, digits+letters+"-_.~$&+,/:;=@")
	mark(hostChar, digits+letters+"!$%&'()*+,-.:;=[]_~")
	for c := range table {
		if c >= ' ' && c != 0x7f || c == '\t' {
			table[c] |= valueChar
		}
		if c > ' ' && c < 0x7f {
			table[c] |= visibleChar
		}
	}
	return table
}

// all reports whether every byte of b is of the class.
func all[T ~string | ~[]byte](b T, class uint8) bool {
	for i := range len(b) {
		if chars[b[i]]&class == 0 {
			return false
		}
	}
	return true
}

func isToken[T ~string | ~[]byte](b T) bool { return len(b) > 0 && all(b, tokenChar) }

const (
	ones = 0x0101010101010101
	high = 0x8080808080808080
)

// validValue reports whether b has bytes of a field's value only. It looks at eight at
// a time, and at each of them only where one is below the blank, or DEL.
func validValue(b []byte) bool {
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		del := w ^ 0x7f*ones
		if ((w-' '*ones)&^w|(del-ones)&^del)&high != 0 && !all(b[:8], valueChar) {
			return false
		}
		b = b[8:]
	}
	return all(b, valueChar)
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// trim takes the blanks from both ends.
func trim[T ~string | ~[]byte](b T) T {
	for len(b) > 0 && isBlank(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && isBlank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// lower has the lower case of ASCII letters and every other byte as it is.
var lower = func() (table [256]byte) {
	for c := range table {
		table[c] = byte(c)
		if 'A' <= c && c <= 'Z' {
			table[c] |= 0x20
		}
	}
	return table
}()

// equalFold reports whether b is low, which is in lower case, in any case.
func equalFold[T ~string | ~[]byte](b T, low string) bool {
	if len(b) != len(low) {
		return false
	}
	for i := range len(b) {
		if lower[b[i]] != low[i] {
			return false
		}
	}
	return true
}
