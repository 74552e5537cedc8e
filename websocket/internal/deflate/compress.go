package deflate

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	minLevel     = flate.HuffmanOnly // -2
	defaultLevel = 1                 // the fastest one that still finds repetitions
	maxBits      = 15                // a window of 32 KiB, the largest DEFLATE knows (RFC 1951 section 2)
	minBits      = 8                 // RFC 7692 section 7.1.2.1
)

// tail ends every sync flush and is left out on the wire: RFC 7692 section 7.2.1.
var tail = []byte{0x00, 0x00, 0xff, 0xff}

// Compress appends the compressed form of one message to dst and returns it.
// It is raw DEFLATE, sync-flushed, without the closing 00 00 FF FF (RFC 7692
// section 7.2.1), and refers to no other message. An empty message is the
// single byte 0x00 (section 7.2.3.6).
//
// level is 1 (fast) to 9 (small), -1 for the library's own default, -2 for
// Huffman codes alone; 0 means 1. windowBits is 8 to 15; 0 means 15. A message
// longer than a window of fewer than 15 bits is compressed at one fixed level
// whatever level says, and level 1 takes the fixed code of DEFLATE for messages of
// up to 1 KiB. Others panic. Safe from any goroutine.
func Compress(dst, message []byte, level, windowBits int) []byte {
	return compress(dst, message, nil, checkLevel(level), checkBits(windowBits))
}

func checkLevel(level int) int {
	if level == 0 {
		return defaultLevel
	}
	if level < minLevel || level > flate.BestCompression {
		panic(fmt.Sprintf("deflate: level %d: use -2 to 9", level))
	}
	return level
}

func checkBits(bits int) int {
	if bits == 0 {
		return maxBits
	}
	if bits < minBits || bits > maxBits {
		panic(fmt.Sprintf("deflate: windowBits %d: use 8 to 15", bits))
	}
	return bits
}

func compress(dst, message, dict []byte, level, bits int) []byte {
	if len(message) == 0 {
		return append(dst, 0x00)
	}
	if level == 1 && len(dict) == 0 && len(message) <= min(fixedSize, 1<<bits) {
		if out := compressFixed(dst, message); len(out)-len(dst) <= len(message) {
			return out
		}
	}
	pool := &levels[level-minLevel]
	if level > 0 || level == flate.DefaultCompression {
		if bits < maxBits && len(dict)+len(message) > 1<<bits {
			pool = &windows[bits-minBits]
		}
	}
	w := pool.Get().(*writer)
	defer pool.Put(w)
	return w.compress(dst, message, dict)
}

// writer is a pooled compressor together with the slice it appends to.
type writer struct {
	flate *flate.Writer
	out   []byte
}

func (w *writer) compress(dst, message, dict []byte) []byte {
	w.out = dst
	w.flate.ResetDict(w, dict)
	w.flate.Write(message) // neither call fails, because Write below does not
	w.flate.Flush()
	out := w.out
	w.out = nil
	return bytes.TrimSuffix(out, tail)
}

// Write appends what the compressor puts out.
func (w *writer) Write(p []byte) (int, error) {
	w.out = append(w.out, p...)
	return len(p), nil
}

// One pool for each level from -2 to 9, and one for each window from 8 to 14 bits.
var (
	levels  = levelPools()
	windows = windowPools()
)

func levelPools() []sync.Pool {
	pools := make([]sync.Pool, flate.BestCompression-minLevel+1)
	for i := range pools {
		pools[i].New = func() any {
			return newWriter(flate.NewWriter(nil, i+minLevel))
		}
	}
	return pools
}

func windowPools() []sync.Pool {
	pools := make([]sync.Pool, maxBits-minBits)
	for i := range pools {
		pools[i].New = func() any {
			return newWriter(flate.NewWriterWindow(nil, 1<<(i+minBits)))
		}
	}
	return pools
}

func newWriter(w *flate.Writer, err error) *writer {
	if err != nil {
		panic("deflate: " + err.Error()) // level and window were checked before
	}
	return &writer{flate: w}
}
