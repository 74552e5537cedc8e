package wire

import (
	"strings"
	"testing"
	"unicode/utf8"
	"unsafe"
)

func TestTextIsRefusedAtTheFirstBadByte(t *testing.T) {
	tests := []struct {
		name string
		text string
		bad  int // index of the byte that fails; -1: none
	}{
		{"ASCII", "Hello", -1},
		{"two, three and four bytes", "κόσμε €𐍈", -1},
		{"last before the surrogates", "\xed\x9f\xbf", -1},
		{"first after the surrogates", "\xee\x80\x80", -1},
		{"noncharacters", "\xef\xbf\xbe\xef\xbf\xbf", -1},
		{"U+10FFFF", "\xf4\x8f\xbf\xbf", -1},
		{"NUL", "\x00", -1},
		{"continuation byte without a lead", "ab\x80", 2},
		{"overlong lead C0", "\xc0\xaf", 0},
		{"overlong lead C1", "\xc1\xbf", 0},
		{"overlong in three bytes", "\xe0\x80\xaf", 1},
		{"overlong in four bytes", "\xf0\x80\x80\xaf", 1},
		{"first surrogate", "\xed\xa0\x80", 1},
		{"last surrogate", "x\xed\xbf\xbf", 2},
		{"U+110000", "\xf4\x90\x80\x80", 1},
		{"lead F5", "\xf5\x80\x80\x80", 0},
		{"FE and FF", "\xfe\xff", 0},
		{"ASCII instead of the last byte", "\xe2\x82a", 2},
		{"a lead inside a sequence", "\xf0\x9f\xe2\x82\xac", 2},
		{"Autobahn 6.4.1", "κόσμε\xf4\x90\x80\x80edited", 11},
		{"after a long run of ASCII", strings.Repeat("a", 100) + "\xff", 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ValidText([]byte(tt.text)); got != (tt.bad < 0) {
				t.Errorf("ValidText: %t", got)
			}
			if got := firstRefused([]byte(tt.text)); got != tt.bad {
				t.Errorf("refused at byte %d, want %d", got, tt.bad)
			}
			if got := firstImpossible([]byte(tt.text)); got != tt.bad {
				t.Errorf("the twin refuses at byte %d, want %d", got, tt.bad)
			}
		})
	}
}

func TestTextMayNotEndInsideASequence(t *testing.T) {
	for _, text := range []string{"\xc3", "\xe2", "\xe2\x82", "\xf0", "\xf0\x9f", "\xf0\x9f\x98", "Hello\xf4\x8f\xbf"} {
		var u UTF8
		if !u.Write([]byte(text)) || u.Complete() {
			t.Errorf("% x: want it to be possible so far, and not complete", text)
		}
		if ValidText([]byte(text)) {
			t.Errorf("% x: want it invalid as a whole", text)
		}
	}
}

func TestUTF8AfterABadByteStaysBad(t *testing.T) {
	var u UTF8
	if !u.Complete() || !u.Write(nil) {
		t.Fatal("the zero value is not ready")
	}
	if u.Write([]byte("a\xff")) || u.Write([]byte("fine")) || u.Write(nil) || u.Complete() {
		t.Error("valid text has healed it")
	}
	if u = (UTF8{}); !u.Write([]byte("fine")) || !u.Complete() {
		t.Error("assigning the zero value has not")
	}
}

func TestUTF8AgreesWithItsTwinOnAllShortSequences(t *testing.T) {
	edges := []byte{0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff}
	for a := 0x7f; a <= 0xff; a++ {
		for b := 0x7f; b <= 0xc1; b++ {
			checkUTF8(t, []byte{byte(a), byte(b)})
		}
		for _, b := range edges {
			for _, c := range edges {
				checkUTF8(t, []byte{byte(a), b, c, 0x80})
			}
		}
	}
}

func TestUTF8IsSmallAndDoesNotAllocate(t *testing.T) {
	if size := unsafe.Sizeof(UTF8{}); size > 8 {
		t.Errorf("%d bytes per socket, want 8 at most", size)
	}
	text := []byte(strings.Repeat("κόσμε and ASCII ", 20))
	pinAllocs(t, "ValidText", func() { ValidText(text) })
	pinAllocs(t, "UTF8.Write", func() {
		var u UTF8
		u.Write(text[:31])
		u.Write(text[31:])
	})
}

// checkUTF8 compares UTF8 with utf8.Valid and with the twin, for p split
// anywhere and byte by byte.
func checkUTF8(t *testing.T, p []byte) {
	bad, valid := firstImpossible(p), utf8.Valid(p)
	if got := firstRefused(p); got != bad {
		t.Fatalf("% x: refused at byte %d, want %d", p, got, bad)
	}
	for i := range len(p) + 1 {
		var u UTF8
		head, tail := u.Write(p[:i]), u.Write(p[i:])
		if head != (bad < 0 || i <= bad) || tail != (bad < 0) || u.Complete() != valid {
			t.Fatalf("% x split at %d: %t, %t, %t; first bad byte %d, valid %t", p, i, head, tail, u.Complete(), bad, valid)
		}
	}
}

// firstRefused returns the index of the byte at which UTF8 fails, given p byte
// by byte, or -1.
func firstRefused(p []byte) int {
	var u UTF8
	for i := range p {
		if !u.Write(p[i : i+1]) {
			return i
		}
	}
	return -1
}

// firstImpossible is a brute-force twin: the index of the first byte after which
// no continuation makes p valid, or -1.
func firstImpossible(p []byte) int {
	start := 0
	for i := range p {
		switch open := p[start : i+1]; {
		case utf8.Valid(open):
			start = i + 1
		case !completable(open, 3):
			return i
		}
	}
	return -1
}

// completable tries to make p valid with up to n of the continuation bytes that
// bound RFC 3629's ranges.
func completable(p []byte, n int) bool {
	if utf8.Valid(p) {
		return true
	}
	if n == 0 {
		return false
	}
	for _, c := range []byte{0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf} {
		if completable(append(p[:len(p):len(p)], c), n-1) {
			return true
		}
	}
	return false
}

func FuzzUTF8(f *testing.F) {
	for _, seed := range []string{"Hello", "κόσμε €𐍈", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc0\xaf", "\xe2\x82", "κόσμε\xf4\x90", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xf0\x9f\x98"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, p []byte) { checkUTF8(t, p[:min(len(p), 256)]) })
}

func BenchmarkValidText(b *testing.B) {
	forEachText(b, func(b *testing.B, text []byte) {
		for b.Loop() {
			if !ValidText(text) {
				b.Fatal("refused")
			}
		}
	})
}

func BenchmarkUTF8(b *testing.B) {
	forEachText(b, func(b *testing.B, text []byte) {
		for b.Loop() {
			var u UTF8
			if !u.Write(text) || !u.Complete() {
				b.Fatal("refused")
			}
		}
	})
}

func forEachText(b *testing.B, f func(b *testing.B, text []byte)) {
	for name, text := range map[string]string{
		"ascii/128":   strings.Repeat("a", 128),
		"ascii/4096":  strings.Repeat("a", 4096),
		"greek/4096":  strings.Repeat("κό", 1024),
		"emoji/4096":  strings.Repeat("😀", 1024),
		"german/4096": strings.Repeat("Straßenbahnfah", 273) + "abc",
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			f(b, []byte(text))
		})
	}
}
