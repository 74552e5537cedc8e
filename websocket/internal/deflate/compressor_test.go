package deflate

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/klauspost/compress/flate"
)

func TestCompressorIsReadWithAWindow(t *testing.T) {
	for _, s := range settings {
		c, w := NewCompressor(s.level, s.bits), Window{Bits: s.bits}
		for name, m := range messages {
			for range 2 {
				out, err := stdDecompress(c.Compress(nil, m), w.Bytes(), int64(len(m)))
				if err != nil || !bytes.Equal(out, m) {
					t.Fatalf("%s, %+v: %d bytes, %v", name, s, len(out), err)
				}
				w.Append(m)
			}
		}
	}
}

func TestCompressorGainsFromEarlierMessages(t *testing.T) {
	c := NewCompressor(1, 15)
	first := len(c.Compress(nil, chat(1, 512)))
	second := len(c.Compress(nil, chat(2, 512)))
	if second > first*3/4 {
		t.Errorf("first message %d bytes, second %d", first, second)
	}
}

func TestCompressorKeepsOnlyItsWindow(t *testing.T) {
	for bits, want := range map[int]int{8: 1 << 8, 15: 1 << dictBits} {
		c := NewCompressor(1, bits)
		for i := range 100 {
			c.Compress(nil, chat(i, 3000))
		}
		if n := cap(c.window.Bytes()); n > want {
			t.Errorf("%d bits: %d bytes kept for each socket, want %d at most", bits, n, want)
		}
	}
}

func TestCompressorStaysInsideTheWindowOverMessages(t *testing.T) {
	m := chat(1, 400)[:200]
	for _, level := range []int{-1, 1, 9} {
		c := NewCompressor(level, 8)
		for i, p := range [][]byte{m, noise(150), m} {
			if d := reach(t, c.Compress(nil, p)); d > 256 {
				t.Errorf("level %d, message %d: refers %d bytes back in a window of 256", level, i, d)
			}
		}
	}
}

func TestTwoCompressorsDoNotMix(t *testing.T) {
	a, b := NewCompressor(1, 15), NewCompressor(1, 15)
	secret := noise(400)
	a.Compress(nil, secret)
	got := b.Compress(nil, secret)
	if want := Compress(nil, secret, 1, 15); !bytes.Equal(got, want) {
		t.Error("a message of one socket shows in the size of another's")
	}
}

func BenchmarkCompressor(b *testing.B) {
	var chats [4096][]byte
	for i := range chats {
		chats[i] = chat(i, 512)
	}
	run := func(name string, compress func(dst, m []byte) []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var dst []byte
			n, total := 0, 0
			for b.Loop() {
				dst = compress(dst[:0], chats[n%len(chats)])
				n++
				total += len(dst)
			}
			b.ReportMetric(float64(total)/float64(n), "B/message")
		})
	}
	for _, level := range []int{1, 6} {
		run(fmt.Sprintf("level=%d/none", level), func(dst, m []byte) []byte { return Compress(dst, m, level, 15) })
		for _, bits := range []int{11, 12, 13, 15} {
			c := &Compressor{level: level, bits: 15, window: Window{Bits: bits}}
			run(fmt.Sprintf("level=%d/window=%d", level, 1<<bits), c.Compress)
		}
		kept := newWriter(flate.NewWriter(nil, level))
		kept.flate.Reset(kept)
		run(fmt.Sprintf("level=%d/kept", level), func(dst, m []byte) []byte {
			kept.out = dst
			kept.flate.Write(m)
			kept.flate.Flush()
			return bytes.TrimSuffix(kept.out, tail)
		})
	}
}
