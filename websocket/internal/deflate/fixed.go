package deflate

import (
	"encoding/binary"
	"math/bits"
)

// fixedSize is the longest message, in bytes, that level 1 compresses with the
// fixed code of RFC 1951 section 3.2.6. Chat messages of 512 bytes take a fifth
// more than with a code of their own, and a fifth of the time, for making that
// code, sending it and building tables from it is most of the work.
const fixedSize = 1 << 10

const (
	minMatch = 4 // bytes
	maxMatch = 258
	hashBits = 10
)

// compressFixed appends the compressed form of a message of up to fixedSize bytes.
func compressFixed(dst, m []byte) []byte {
	var seen positions
	w := bitWriter{out: dst}
	w.put(1<<1, 3) // one block that is not the final one, fixed code
	for i := 0; i < len(m); {
		at := seen.swap(m, i)
		if at < 0 {
			w.code(fixed.literals[m[i]])
			i++
			continue
		}
		n := minMatch + common(m[at+minMatch:], m[i+minMatch:])
		w.code(fixed.lengths[n])
		w.code(fixed.distances[i-at])
		for end := i + n - 1; i < end; {
			i++
			seen.swap(m, i)
		}
		i++
	}
	w.put(0, 7) // the end of the block
	w.put(0, 3) // an empty stored block up to its lengths: RFC 7692 section 7.2.1
	return w.close()
}

// positions tells where four bytes were last, plus 1, by their hash.
type positions [1 << hashBits]uint16

// swap puts in where the four bytes at i are and returns where they were before,
// or -1.
func (p *positions) swap(m []byte, i int) int {
	if i+minMatch > len(m) {
		return -1
	}
	four := binary.LittleEndian.Uint32(m[i:])
	place := &p[four*0x9e3779b1>>(32-hashBits)]
	at := int(*place) - 1
	*place = uint16(i + 1)
	if at >= 0 && binary.LittleEndian.Uint32(m[at:]) != four {
		return -1
	}
	return at
}

// common is how many bytes a and b begin with in common, as far as one match goes.
func common(a, b []byte) int {
	n := 0
	for n < min(len(b), maxMatch-minMatch) && a[n] == b[n] {
		n++
	}
	return n
}

// bitWriter appends bits from the lowest on.
type bitWriter struct {
	out []byte
	acc uint64
	n   uint
}

func (w *bitWriter) put(v uint64, n uint) {
	w.acc |= v << w.n
	w.n += n
	if w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

func (w *bitWriter) close() []byte {
	for ; w.n > 0; w.n -= min(w.n, 8) {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
	return w.out
}

// A bitCode holds bits in its low 24, and how many they are above.
type bitCode uint32

func (w *bitWriter) code(c bitCode) { w.put(uint64(c&(1<<24-1)), uint(c>>24)) }

// with returns the code followed by n bits.
func (c bitCode) with(v, n int) bitCode {
	used := int(c >> 24)
	return c&(1<<24-1) | bitCode(v<<used|(used+n)<<24)
}

// fixed holds the bits of every literal, length and distance.
var fixed = newFixedTable()

type fixedTable struct {
	literals  [256]bitCode
	lengths   [maxMatch + 1]bitCode
	distances [fixedSize + 1]bitCode
}

func newFixedTable() *fixedTable {
	t := new(fixedTable)
	for i := range t.literals {
		t.literals[i] = fixedLiteral(i)
	}
	for s := 257; s <= 285; s++ {
		fillValues(t.lengths[:], literalSymbols[s], fixedLiteral(s))
	}
	for s := range 30 {
		fillValues(t.distances[:], distanceSymbols[s], reversed(s, 5))
	}
	return t
}

// fillValues sets the bits of all values that a symbol stands for.
func fillValues(to []bitCode, symbol uint32, code bitCode) {
	base, extra := int(symbol>>16), int(symbol>>4&15)
	for v := 0; v < 1<<extra && base+v < len(to); v++ {
		to[base+v] = code.with(v, extra)
	}
}

// fixedLiteral is the code of a symbol in the table of RFC 1951 section 3.2.6.
func fixedLiteral(s int) bitCode {
	switch {
	case s < 144:
		return reversed(0x30+s, 8)
	case s < 256:
		return reversed(0x190+s-144, 9)
	case s < 280:
		return reversed(s-256, 7)
	}
	return reversed(0xc0+s-280, 8)
}

// reversed is a code of n bits as the stream has it, first bit lowest.
func reversed(code, n int) bitCode {
	return bitCode(bits.Reverse16(uint16(code))>>(16-n)) | bitCode(n<<24)
}
