package wire

import (
	"bytes"
	"fmt"
	"testing"
)

func TestMaskIsTheExampleOfSection57(t *testing.T) {
	b := wireBytes(t, "0x7f 0x9f 0x4d 0x51 0x58")
	Mask([4]byte{0x37, 0xfa, 0x21, 0x3d}, 0, b)
	if string(b) != "Hello" {
		t.Errorf("got %q, want Hello", b)
	}
}

func TestMaskAgreesWithItsPlainTwin(t *testing.T) {
	key := [4]byte{0x01, 0x83, 0x5a, 0xff}
	for size := range 200 {
		for pos := range 5 {
			for _, offset := range []int{0, 1, 4, 7} { // of the slice in memory
				checkMask(t, key, pos, make([]byte, offset+size)[offset:])
			}
		}
	}
}

// maskPlain is RFC 6455 section 5.3 word for word, the twin of Mask.
func maskPlain(key [4]byte, pos int, b []byte) {
	for i := range b {
		b[i] ^= key[(pos+i)%4]
	}
}

// checkMask compares Mask with maskPlain on b, in one piece and in two, and
// sees that no byte after b is touched.
func checkMask(t *testing.T, key [4]byte, pos int, b []byte) {
	t.Helper()
	want := bytes.Clone(b)
	maskPlain(key, pos, want)
	got := append(bytes.Clone(b), 0xEE)
	Mask(key, pos, got[:len(b)])
	if !bytes.Equal(got[:len(b)], want) || got[len(b)] != 0xEE {
		t.Fatalf("%d bytes from %d: % x, want % x", len(b), pos, got, want)
	}
	half := len(b) / 3
	Mask(key, pos, got[:half])
	Mask(key, pos+half, got[half:len(b)])
	if !bytes.Equal(got[:len(b)], b) {
		t.Fatalf("%d bytes from %d: masking in two pieces did not undo it", len(b), pos)
	}
}

func TestMaskDoesNotAllocate(t *testing.T) {
	b := make([]byte, 1001)
	pinAllocs(t, "Mask", func() { Mask([4]byte{1, 2, 3, 4}, 3, b) })
}

func FuzzMask(f *testing.F) {
	f.Add([]byte("1234"), uint16(0), []byte("Hello"))
	f.Add([]byte{0, 0xff, 0x80, 1}, uint16(3), bytes.Repeat([]byte("abcdefg"), 30))
	f.Fuzz(func(t *testing.T, key []byte, pos uint16, b []byte) {
		var k [4]byte
		copy(k[:], key)
		checkMask(t, k, int(pos), b)
	})
}

func BenchmarkMask(b *testing.B) {
	key := [4]byte{1, 2, 3, 4}
	for _, size := range []int{5, 16, 128, 1024, 65536} {
		b.Run(fmt.Sprintf("fast/%d", size), func(b *testing.B) { benchmarkMask(b, size, key, Mask) })
		b.Run(fmt.Sprintf("plain/%d", size), func(b *testing.B) { benchmarkMask(b, size, key, maskPlain) })
	}
}

func benchmarkMask(b *testing.B, size int, key [4]byte, mask func([4]byte, int, []byte)) {
	p := make([]byte, size)
	b.SetBytes(int64(size))
	for b.Loop() {
		mask(key, 0, p)
	}
}
