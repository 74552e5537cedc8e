package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// stdDecompress is the plain twin of Decompress, on the standard library.
func stdDecompress(compressed, dict []byte, limit int64) ([]byte, error) {
	in := bytes.NewReader(append(bytes.Clone(compressed), ending...))
	var out []byte
	for {
		history := append(bytes.Clone(dict), out...)
		r := stdflate.NewReaderDict(in, history)
		piece, err := io.ReadAll(io.LimitReader(r, limit-int64(len(out))+1))
		out = append(out, piece...)
		if int64(len(out)) > limit {
			return nil, ErrTooLarge
		}
		if err != nil {
			return nil, err
		}
		if in.Len() == 0 || in.Len() == len(ending) {
			return out, nil
		}
	}
}

// stdCompress is the plain twin of Compress.
func stdCompress(t testing.TB, message, dict []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdflate.NewWriterDict(&b, level, dict)
	if err != nil {
		t.Fatal(err)
	}
	w.Write(message)
	w.Flush()
	return bytes.TrimSuffix(b.Bytes(), tail)
}

var words = strings.Fields(`the room is quiet today and nobody knows why latency
	went up after lunch please look before the price of order and invoice changes
	shipped paid customer street city country online offline typing reply thread`)

// chat returns the i-th of many different JSON messages of about size bytes.
func chat(i, size int) []byte {
	r := rand.New(rand.NewPCG(uint64(i), 7692))
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"type":"event","event":"chat","timestamp":%d,"data":[`, 1700000000000+int64(i)*977+r.Int64N(900))
	for b.Len() < size-60 {
		fmt.Fprintf(&b, `{"id":"%08x","user":"%s%d","text":"`, r.Uint32(), words[r.IntN(len(words))], r.IntN(50))
		for range 5 + r.IntN(8) {
			b.WriteString(words[r.IntN(len(words))] + " ")
		}
		b.WriteString(`"},`)
	}
	b.WriteString("{}]}")
	return b.Bytes()
}

// noise returns size bytes that do not compress.
func noise(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// messages are inputs of every kind that the block types of DEFLATE are made for.
var messages = map[string][]byte{
	"empty":          {},
	"one byte":       []byte("x"),
	"hello":          []byte("Hello"),
	"33 bytes":       []byte(strings.Repeat("abc", 11)),
	"127 bytes":      chat(1, 200)[:127],
	"chat":           chat(2, 512),
	"long chat":      chat(3, 70_000),
	"zeros":          make([]byte, 40_000),
	"noise":          noise(40_000),
	"distant repeat": append(append(noise(30_000), chat(4, 2_000)...), noise(30_000)...),
}

// reach inflates a message bit by bit and returns the largest distance in it:
// no library tells how far back a compressor refers.
func reach(t *testing.T, compressed []byte) int {
	t.Helper()
	b := &bitReader{in: append(bytes.Clone(compressed), ending...)}
	largest := 0
	for final := 0; final == 0; {
		final = b.take(1)
		largest = max(largest, b.block(b.take(2)))
	}
	if b.err != nil {
		t.Fatalf("reach: %v", b.err)
	}
	return largest
}

type bitReader struct {
	in  []byte
	pos int // in bits
	err error
}

func (b *bitReader) take(n int) int {
	v := 0
	for i := range n {
		if b.pos>>3 >= len(b.in) {
			b.err = io.ErrUnexpectedEOF
			return 0
		}
		v |= int(b.in[b.pos>>3]>>(b.pos&7)&1) << i
		b.pos++
	}
	return v
}

// block reads one block, RFC 1951 section 3.2.3, and returns its largest distance.
func (b *bitReader) block(kind int) int {
	switch kind {
	case 0:
		b.pos = (b.pos + 7) &^ 7
		n := b.take(16)
		b.pos += 16 + 8*n
		return 0
	case 1:
		return b.symbols(fixedCodes())
	case 2:
		return b.symbols(b.dynamicCodes())
	}
	b.err = errors.New("reserved block type")
	return 0
}

var (
	lengthExtra   = []int{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	errNoSuchCode = errors.New("no such code")
)

func (b *bitReader) symbols(literals, distances code) int {
	largest := 0
	for b.err == nil {
		s := b.symbol(literals)
		if s == 256 {
			break
		}
		if s > 256 {
			b.take(lengthExtra[s-257])
			largest = max(largest, b.distance(distances))
		}
	}
	return largest
}

func (b *bitReader) distance(distances code) int {
	s := b.symbol(distances)
	if s < 4 {
		return s + 1
	}
	extra := s/2 - 1
	return (2+s&1)<<extra + b.take(extra) + 1
}

// code maps length and bits of a Huffman code to its symbol.
type code map[[2]int]int

// newCode assigns the canonical codes of RFC 1951 section 3.2.2.
func newCode(lengths []int) code {
	c, next := code{}, 0
	for n := 1; n <= 15; n++ {
		for s, length := range lengths {
			if length == n {
				c[[2]int{n, next}] = s
				next++
			}
		}
		next <<= 1
	}
	return c
}

func (b *bitReader) symbol(c code) int {
	v := 0
	for n := 1; n <= 15; n++ {
		v = v<<1 | b.take(1)
		if s, ok := c[[2]int{n, v}]; ok {
			return s
		}
	}
	b.err = errors.Join(b.err, errNoSuchCode)
	return 0
}

func fixedCodes() (literals, distances code) {
	lengths := make([]int, 288)
	for s := range lengths {
		switch {
		case s < 144, s > 279:
			lengths[s] = 8
		case s < 256:
			lengths[s] = 9
		default:
			lengths[s] = 7
		}
	}
	return newCode(lengths), newCode(repeated(5, 30))
}

func repeated(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func (b *bitReader) dynamicCodes() (literals, distances code) {
	nlit, ndist, n := b.take(5)+257, b.take(5)+1, b.take(4)+4
	lengths := make([]int, 19)
	for _, s := range lengthOrder[:n] {
		lengths[s] = b.take(3)
	}
	c := newCode(lengths)
	var all []int
	for len(all) < nlit+ndist && b.err == nil {
		switch s := b.symbol(c); s {
		case 16:
			all = append(all, repeated(all[len(all)-1], 3+b.take(2))...)
		case 17:
			all = append(all, make([]int, 3+b.take(3))...)
		case 18:
			all = append(all, make([]int, 11+b.take(7))...)
		default:
			all = append(all, s)
		}
	}
	return newCode(all[:nlit]), newCode(all[nlit:])
}
