package deflate

import (
	"bytes"
	"testing"
)

func TestWindowKeepsTheEnd(t *testing.T) {
	all := noise(100_000)
	for _, bits := range []int{0, 8, 12, 15} {
		size := 1 << checkBits(bits)
		for _, step := range []int{1, 100, size - 1, size, size + 1, 50_000} {
			w, n := Window{Bits: bits}, 0
			for n < 3*size && n+step <= len(all) && n < 400*step {
				w.Append(all[n : n+step])
				n += step
				if want := all[max(0, n-size):n]; !bytes.Equal(w.Bytes(), want) {
					t.Fatalf("bits %d: after %d bytes in steps of %d: not the last %d bytes", bits, n, step, size)
				}
			}
		}
	}
}

func TestWindowGrowsAsItIsUsed(t *testing.T) {
	var w Window
	w.Append(make([]byte, 100))
	if n := cap(w.buf); n > 200 {
		t.Errorf("100 bytes take %d", n)
	}
	for range 1000 {
		w.Append(make([]byte, 100))
	}
	if n := cap(w.buf); n > 32<<10 {
		t.Errorf("a full window takes %d bytes, want 32 KiB", n)
	}
}

func TestWindowAppendAllocatesNothingWhenFull(t *testing.T) {
	var w Window
	w.Append(make([]byte, 32<<10))
	p := make([]byte, 512)
	if n := testing.AllocsPerRun(100, func() { w.Append(p) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
