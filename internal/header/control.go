package header

import "slices"

// Clean replaces the control characters of a header that is about to be sent by spaces
// (RFC 9110 §5.5). Clients refuse such answers, and Go's own is one.
func Clean(h map[string][]string) {
	if t := h["Content-Type"]; len(h) == 1 && len(t) == 1 && IsClean(t[0]) {
		return // the usual case, for which a range over a map takes long
	}
	for name, values := range h {
		if slices.ContainsFunc(values, hasControl) {
			h[name] = withoutControls(values)
		}
	}
}

// IsClean reports whether Clean leaves a value as it is.
func IsClean(value string) bool { return !hasControl(value) }

// hasControl passes over what is harmless eight bytes at a time, for the header of
// each answer comes here.
func hasControl(value string) bool {
	for len(value) >= 8 && harmless(value) {
		value = value[8:]
	}
	for i := range len(value) {
		if isControl(value[i]) {
			return true
		}
	}
	return false
}

// harmless reports that none of the first eight bytes is below 0x20 or is 0x7f. A
// byte b is below n where b-n borrows and b has no high bit; it is 0x7f if its
// difference from that is below 1.
func harmless(s string) bool {
	const ones, high = 0x01_01_01_01_01_01_01_01, 0x80_80_80_80_80_80_80_80
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
	del := x ^ 0x7f*ones
	return ((x-0x20*ones)&^x|(del-ones)&^del)&high == 0
}

// isControl reports CTL of RFC 5234, without the tab.
func isControl(ch byte) bool { return ch < ' ' && ch != '\t' || ch == 0x7f }

// withoutControls returns a copy, for other responses may share the values.
func withoutControls(values []string) []string {
	clean := make([]string, len(values))
	for i, value := range values {
		b := []byte(value)
		for j, ch := range b {
			if isControl(ch) {
				b[j] = ' '
			}
		}
		clean[i] = string(b)
	}
	return clean
}
