package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
)

func TestDecompressReadsTheStandardLibrary(t *testing.T) {
	for name, m := range messages {
		for level := -2; level <= 9; level++ {
			for _, dict := range [][]byte{nil, messages["long chat"]} {
				out, err := Decompress(nil, stdCompress(t, m, dict, level), dict, int64(len(m)))
				if err != nil || !bytes.Equal(out, m) {
					t.Errorf("%s, level %d, dictionary of %d: %d bytes, %v", name, level, len(dict), len(out), err)
				}
			}
		}
	}
}

// The examples of RFC 7692, section 7.2.3.
func TestDecompressReadsTheExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct {
		name, bytes, dict, want string
	}{
		{"7.2.3.1 one block", "\xf2\x48\xcd\xc9\xc9\x07\x00", "", "Hello"},
		{"7.2.3.2 sharing the window", "\xf2\x00\x11\x00\x00", "Hello", "Hello"},
		{"7.2.3.3 stored", "\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00", "", "Hello"},
		{"7.2.3.4 final block", "\xf3\x48\xcd\xc9\xc9\x07\x00\x00", "", "Hello"},
		{"7.2.3.5 two blocks", "\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00", "", "Hello"},
		{"7.2.3.6 empty", "\x00", "", ""},
	} {
		out, err := Decompress(nil, []byte(c.bytes), []byte(c.dict), 5)
		if err != nil || string(out) != c.want {
			t.Errorf("%s: %q, %v", c.name, out, err)
		}
	}
}

func TestDecompressReadsFinalBlocksInside(t *testing.T) {
	whole := chat(5, 200_000)
	for _, size := range []int{1, 500, 33_000, 70_000} {
		for _, dict := range [][]byte{nil, chat(6, 40_000)} {
			m := whole[:min(len(whole), 60*size)]
			out, err := Decompress([]byte("before"), finals(t, m, dict, size), dict, int64(len(m)))
			if err != nil || string(out) != "before"+string(m) {
				t.Errorf("pieces of %d, dictionary of %d: %d bytes, %v", size, len(dict), len(out), err)
			}
		}
	}
}

// finals compresses m in pieces, each closed with a final block.
func finals(t *testing.T, m, dict []byte, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	history := bytes.Clone(dict)
	for len(m) > 0 {
		piece := m[:min(len(m), size)]
		w, err := stdflate.NewWriterDict(&b, 6, history)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(piece)
		w.Close()
		history, m = append(history, piece...), m[len(piece):]
	}
	return append(b.Bytes(), 0x00)
}

func TestDecompressReadsManyFinalBlocks(t *testing.T) {
	const empty = "\x03\x00" // an empty final block
	for _, n := range []int{1, 2, 1000, 100_000} {
		in := strings.Repeat(empty, n) + "\xf3\x48\xcd\xc9\xc9\x07\x00"
		out, err := Decompress(nil, []byte(in), chat(1, 32<<10), 10)
		if err != nil || string(out) != "Hello" {
			t.Errorf("%d final blocks: %q, %v", n, out, err)
		}
	}
}

func TestDecompressKeepsTheLimit(t *testing.T) {
	for name, m := range messages {
		for level := 1; level <= 9; level += 4 {
			c := Compress(nil, m, level, 15)
			n := int64(len(m))
			for _, limit := range []int64{n, n + 1, math.MaxInt64} {
				if out, err := Decompress([]byte("12"), c, nil, limit); err != nil || int64(len(out)) != n+2 {
					t.Errorf("%s, limit %d of %d: %d bytes, %v", name, limit, n, len(out), err)
				}
			}
			for _, limit := range []int64{n - 1, n - 2, n / 2, 0, -1} {
				out, err := Decompress([]byte("12"), c, nil, limit)
				if limit < n && n > 0 && (err != ErrTooLarge || int64(len(out)) > max(limit, 0)+2) {
					t.Errorf("%s, limit %d of %d: %d bytes, %v", name, limit, n, len(out), err)
				}
			}
		}
	}
}

func TestDecompressLimitHoldsOverFinalBlocks(t *testing.T) {
	c := finals(t, chat(1, 3000)[:3000], nil, 1000)
	if _, err := Decompress(nil, c, nil, 3000); err != nil {
		t.Errorf("limit 3000: %v", err)
	}
	if _, err := Decompress(nil, c, nil, 2999); err != ErrTooLarge {
		t.Errorf("limit 2999: %v", err)
	}
}

func TestDecompressStopsBombs(t *testing.T) {
	const mib = 1 << 20
	piece := append(Compress(nil, make([]byte, mib), 9, 15), tail...)
	bomb := bytes.Repeat(piece, 1024) // a GiB of zeros
	for name, dict := range map[string][]byte{"alone": nil, "with takeover": make([]byte, 32<<10)} {
		var out []byte
		var err error
		grown := allocated(func() { out, err = Decompress(nil, bomb[:len(bomb)-len(tail)], dict, mib) })
		if err != ErrTooLarge || len(out) > mib {
			t.Errorf("%s: %d bytes, %v", name, len(out), err)
		}
		if grown > 8*mib {
			t.Errorf("%s: %d bytes allocated, want 8 MiB at most", name, grown)
		}
	}
}

// allocated returns the bytes that f allocates, those freed again included.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestDecompressTakesNoMoreThanTwiceItsOutput(t *testing.T) {
	for name, m := range messages {
		out, err := Decompress(nil, Compress(nil, m, 1, 15), nil, 1<<40)
		if err != nil || cap(out) > 2*len(m) {
			t.Errorf("%s: capacity %d for %d bytes, %v", name, cap(out), len(m), err)
		}
		out, err = Decompress(nil, Compress(nil, m, 1, 15), nil, int64(len(m)))
		if err != nil || cap(out) > len(m) {
			t.Errorf("%s: capacity %d with limit %d, %v", name, cap(out), len(m), err)
		}
	}
}

func TestDecompressRefusesCorruptInput(t *testing.T) {
	whole := Compress(nil, messages["chat"], 1, 15)
	for name, in := range map[string][]byte{
		"nothing at all":            {},
		"cut in half":               whole[:len(whole)/2],
		"last byte missing":         whole[:len(whole)-1],
		"reserved block type":       {0x06},
		"distance before the start": []byte("\xf2\x00\x11\x00\x00"),
		"stored length not twice":   []byte("\x00\x05\x00\xfa\xfeHello\x00"),
		"tail not left out":         append(bytes.Clone(whole), tail...),
		"garbage behind the end":    []byte("\xf3\x48\xcd\xc9\xc9\x07\x00\xff\xff"),
	} {
		out, err := Decompress(nil, in, nil, 1<<20)
		if err == nil || err == ErrTooLarge {
			t.Errorf("%s: %q, %v", name, out, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "deflate: ") {
			t.Errorf("%s: error does not name the package: %v", name, err)
		}
	}
}

func TestDecompressNeverShowsAnotherMessage(t *testing.T) {
	secret := bytes.Repeat([]byte("secret"), 10_000)
	back := Compress(nil, append(noise(5000), noise(5000)...), 9, 15)
	r := newReader()
	if _, err := r.decompress(nil, Compress(nil, secret, 1, 15), secret, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	out, _ := r.decompress(nil, []byte("\xf2\x00\x11\x00\x00"), nil, 1<<20, nil) // refers to what was before it
	if len(out) > 1 {
		t.Errorf("%q from before the message", out[1:])
	}
	if out, err := r.decompress(nil, back, nil, 1<<20, nil); err != nil || bytes.Contains(out, []byte("secret")) {
		t.Errorf("the next message: %v", err)
	}
}

// noDistances is a message that repeats bytes and declares no code for distances.
const noDistances = ",\x8c\xc1\x0e\x820\x10\x05\x7f\xa5y\xe7\x1e(\xc1\x00\xfb+\x9e6\xe5\x19\x9b\xc8J\xec\x8a\x12~" +
	"\xde\x10\xf9\x82\xe0C\xb3\xc3\xb7\x85\x10p\xa59\xe26A\xbe\xeb\x91^fV\xd7y\x81\xa4\xbe\xf9\x93\xda\xbe\x8b\x98\xd4" +
	"\x15r\xddQ&\b\xc6f\x18/\xb7.!\xe2]\xf9\x82\xe0C\xf3v8\x16\xfc:\x04\x0fuZ\xdeB\xb1\xf5Y2C\xa9A\xed\a"

func TestCodesOfTheMessageBeforeAreNotUsed(t *testing.T) {
	r := newReader()
	for name, m := range messages {
		if _, err := r.decompress(nil, Compress(nil, m, 6, 15), nil, 1<<20, nil); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if out, err := r.decompress(nil, []byte(noDistances), nil, 1<<20, nil); err != errCorrupt {
			t.Errorf("after %s: %q, %v", name, out, err)
		}
	}
}

func TestFinalBlocksDoNotOpenAnOlderWindow(t *testing.T) {
	r := newReader()
	// An empty final block, then a reference to 32,700 bytes before.
	in := append([]byte{0x03, 0x00}, farReference(t)...)
	secret := bytes.Repeat([]byte("secret"), 10_000)
	if _, err := r.decompress(nil, in, secret, 100, nil); err != nil {
		t.Fatalf("with the window that it refers to: %v", err)
	}
	if out, err := r.decompress(nil, in, []byte("own"), 100, nil); err == nil {
		t.Errorf("with a window of 3 bytes: %q", out)
	}
}

// farReference returns a message that repeats what was 32,700 bytes before it.
func farReference(t *testing.T) []byte {
	t.Helper()
	dict := noise(32_700)
	return stdCompress(t, dict[:60], dict, 9)
}

func TestLargeInputBuffersAreNotKept(t *testing.T) {
	r, m := newReader(), noise(1<<20)
	if _, err := r.decompress(nil, Compress(nil, m, 1, 15), nil, 1<<20, nil); err != nil {
		t.Fatal(err)
	}
	if cap(r.buf) > maxKept {
		t.Errorf("%d bytes stay in the pool", cap(r.buf))
	}
}

func TestCheckSeesEveryByteInOrder(t *testing.T) {
	m := messages["long chat"]
	var seen []byte
	out, err := DecompressChecked(nil, Compress(nil, m, 1, 15), nil, int64(len(m)), func(p []byte) bool {
		seen = append(seen, p...)
		return true
	})
	if err != nil || !bytes.Equal(out, m) || !bytes.Equal(seen, m) {
		t.Errorf("%d of %d bytes checked, %d returned, %v", len(seen), len(m), len(out), err)
	}
}

func TestCheckStopsTheInflation(t *testing.T) {
	m := messages["long chat"]
	calls := 0
	out, err := DecompressChecked(nil, Compress(nil, m, 1, 15), nil, int64(len(m)), func([]byte) bool {
		calls++
		return calls < 2
	})
	if !errors.Is(err, ErrRefused) || calls != 2 || !bytes.HasPrefix(m, out) {
		t.Errorf("%d calls, %d bytes, %v", calls, len(out), err)
	}
}

func TestPanicInCheckLeavesThePoolUsable(t *testing.T) {
	c := Compress(nil, messages["chat"], 1, 15)
	mustPanic(t, "check", func() {
		DecompressChecked(nil, c, nil, 1<<20, func([]byte) bool { panic("check") })
	})
	if out, err := Decompress(nil, c, nil, 1<<20); err != nil || !bytes.Equal(out, messages["chat"]) {
		t.Errorf("%q, %v", out, err)
	}
}

func TestDecompressAllocatesNothing(t *testing.T) {
	c := Compress(nil, messages["chat"], 1, 15)
	r, dst := newReader(), make([]byte, 0, 1024)
	for _, dict := range [][]byte{nil, messages["long chat"]} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := r.decompress(dst, c, dict, 1024, nil); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("dictionary of %d: %v allocations", len(dict), n)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for _, m := range messages {
		f.Add(Compress(nil, m[:min(len(m), 300)], 9, 15), []byte("Hello"), 4096)
	}
	f.Add([]byte("\xf2\x00\x11\x00\x00"), []byte("Hello"), 5)
	f.Add([]byte("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"), []byte{}, 10)
	f.Add(bytes.Repeat([]byte{0x03, 0x00}, 20), []byte{}, 0)
	f.Add([]byte(noDistances), []byte("Hello"), 4096)
	f.Add([]byte("\xbc\xbc\xbc\xbc\xbc \x00\x0eƷ\xba"), []byte("\xbc\xbc\xbc\xbc\xbc \x00\x0eƷ\xbaL\x03"), 38)
	f.Fuzz(func(t *testing.T, in, dict []byte, max int) {
		limit := int64(uint(max) % (1 << 20))
		out, err := Decompress([]byte("dst"), in, dict, limit)
		if !bytes.HasPrefix(out, []byte("dst")) || int64(len(out)-3) > limit {
			t.Fatalf("%d bytes with limit %d", len(out), limit)
		}
		want, stdErr := stdDecompress(in, dict, limit)
		if (err == nil) != (stdErr == nil) {
			t.Fatalf("error %v, standard library %v", err, stdErr)
		}
		// Of input that is both, one finds first that it is too large, the other that it is corrupt.
		if _, corrupt := stdDecompress(in, dict, 1<<30); corrupt == nil && err != stdErr {
			t.Fatalf("error %v, standard library %v", err, stdErr)
		}
		if err == nil && !bytes.Equal(out[3:], want) {
			t.Fatalf("%q, standard library %q", out[3:], want)
		}
	})
}

func BenchmarkDecompress(b *testing.B) {
	for _, size := range []int{512, 16 << 10, 256 << 10} {
		for _, history := range []int{0, 32 << 10} {
			b.Run(fmt.Sprintf("size=%d/dict=%d", size, history), func(b *testing.B) {
				m, dict := chat(1, size), noise(history)
				c, dst := Compress(nil, m, 1, 15), make([]byte, 0, 2*size)
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					Decompress(dst, c, dict, 1<<20)
				}
			})
		}
	}
}
