package deflate

import (
	"bytes"
	"fmt"
	"math"
	"testing"
)

type setting struct{ level, bits int }

// settings holds every level with a large and a small window, and every window
// with a fast and a thorough level.
var settings = allSettings()

func allSettings() (all []setting) {
	for level := -2; level <= 9; level++ {
		all = append(all, setting{level, 15}, setting{level, 9})
	}
	for _, bits := range []int{0, 8, 10, 11, 12, 13, 14} {
		all = append(all, setting{1, bits}, setting{9, bits})
	}
	return all
}

func TestCompressIsReadByTheStandardLibrary(t *testing.T) {
	for name, m := range messages {
		for _, s := range settings {
			out, err := stdDecompress(Compress(nil, m, s.level, s.bits), nil, int64(len(m)))
			if err != nil || !bytes.Equal(out, m) {
				t.Errorf("%s, %+v: %d bytes, %v", name, s, len(out), err)
			}
		}
	}
}

func TestCompressStaysInsideTheWindow(t *testing.T) {
	for name, m := range messages {
		for _, level := range []int{-2, -1, 1, 9} {
			for _, bits := range []int{8, 9, 12, 14} {
				c := NewCompressor(level, bits)
				for range 2 {
					if d := reach(t, c.Compress(nil, m)); d > 1<<bits {
						t.Errorf("%s, level %d: refers %d bytes back in a window of %d", name, level, d, 1<<bits)
					}
				}
				if d := reach(t, Compress(nil, m, level, bits)); d > 1<<bits {
					t.Errorf("%s, level %d: refers %d bytes back in a window of %d", name, level, d, 1<<bits)
				}
			}
		}
	}
}

func TestReachSeesDistances(t *testing.T) {
	far := append(append(chat(1, 300), noise(20_000)...), chat(1, 300)...)
	if d := reach(t, Compress(nil, far, 9, 15)); d < 20_000 {
		t.Errorf("largest distance %d, want 20000 or more", d)
	}
}

func TestCompressAppendsToDst(t *testing.T) {
	alone := Compress(nil, messages["chat"], 1, 15)
	got := Compress([]byte("before"), messages["chat"], 1, 15)
	if !bytes.Equal(got, append([]byte("before"), alone...)) {
		t.Error("the result is not dst followed by the compressed message")
	}
}

func TestCompressLeavesOutTheTail(t *testing.T) {
	for name, m := range messages {
		if bytes.HasSuffix(Compress(nil, m, 1, 15), tail) {
			t.Errorf("%s: ends in 00 00 FF FF", name)
		}
	}
}

func TestCompressIsTheExampleOfTheRFC(t *testing.T) {
	want := []byte{0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00} // section 7.2.3.1
	if got := Compress(nil, []byte("Hello"), 9, 15); !bytes.Equal(got, want) {
		t.Errorf("Hello: % x, want % x", got, want)
	}
	if got := Compress(nil, nil, 1, 15); !bytes.Equal(got, []byte{0x00}) { // section 7.2.3.6
		t.Errorf("empty message: % x, want 00", got)
	}
}

func TestCompressMakesChatSmaller(t *testing.T) {
	m := messages["chat"]
	for level := -2; level <= 9; level++ {
		if n := len(Compress(nil, m, level, 15)); n > len(m)*3/4 {
			t.Errorf("level %d: %d bytes of %d", level, n, len(m))
		}
	}
}

func TestSetUpMistakesPanic(t *testing.T) {
	for _, c := range []setting{{-3, 15}, {10, 15}, {1, 7}, {1, 16}, {1, -1}, {math.MinInt, 15}} {
		mustPanic(t, fmt.Sprintf("Compress, level %d, bits %d", c.level, c.bits), func() { Compress(nil, []byte("x"), c.level, c.bits) })
		mustPanic(t, fmt.Sprintf("NewCompressor, level %d, bits %d", c.level, c.bits), func() { NewCompressor(c.level, c.bits) })
	}
	mustPanic(t, "Window of 40 bits", func() { (&Window{Bits: 40}).Append([]byte("x")) })
}

func mustPanic(t *testing.T, name string, f func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	f()
}

func TestCompressAllocatesNothing(t *testing.T) {
	for _, level := range []int{1, 9} {
		w := levels[level-minLevel].New().(*writer)
		dst, m := make([]byte, 0, 1024), messages["chat"]
		if n := testing.AllocsPerRun(100, func() { w.compress(dst, m, nil) }); n != 0 {
			t.Errorf("level %d: %v allocations", level, n)
		}
	}
}

func FuzzRoundTrip(f *testing.F) {
	for _, m := range messages {
		f.Add(m[:min(len(m), 300)], 1, 15, 100)
		f.Add(m[:min(len(m), 300)], 9, 8, 10)
	}
	f.Fuzz(func(t *testing.T, m []byte, level, bits, split int) {
		level, bits = int(uint(level)%12)-2, 8+int(uint(bits)%8)
		roundTrip(t, m, Compress(nil, m, level, bits), nil)

		at := int(uint(split) % uint(len(m)+1))
		c, w := NewCompressor(level, bits), Window{Bits: bits}
		for _, part := range [][]byte{m[:at], m[at:], m} {
			roundTrip(t, part, c.Compress(nil, part), w.Bytes())
			w.Append(part)
		}
	})
}

func roundTrip(t *testing.T, m, compressed, dict []byte) {
	t.Helper()
	out, err := Decompress(nil, compressed, dict, int64(len(m)))
	if err != nil || !bytes.Equal(out, m) {
		t.Fatalf("%q became %q, %v", m, out, err)
	}
	out, err = stdDecompress(compressed, dict, int64(len(m)))
	if err != nil || !bytes.Equal(out, m) {
		t.Fatalf("%q became %q, %v in the standard library", m, out, err)
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, size := range []int{512, 16 << 10} {
		for _, level := range []int{1, 6, 9} {
			b.Run(fmt.Sprintf("size=%d/level=%d", size, level), func(b *testing.B) {
				m, dst := chat(1, size), make([]byte, 0, size)
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					dst = Compress(dst[:0], m, level, 15)
				}
				b.ReportMetric(float64(len(dst))/float64(len(m)), "ratio")
			})
		}
	}
}
