package deflate

import "math/bits"

// A decoder's entry says what a code stands for. Its parts, from the lowest bit:
//
//	4 bits  length of the code
//	4 bits  how many extra bits follow the code, or index the sub-table
//	8 bits  flags
//	16 bits literal, base of a length or distance, or where the sub-table begins
//
// The entry 0 is no code at all.
const (
	entryLiteral = 1 << (8 + iota)
	entryEnd     // the end of the block
	entryTable   // the code is longer than the root table's index
	entryRefused // a symbol that no compressor may use
)

func entry(flags, extra, value int) uint32 { return uint32(value<<16 | flags | extra<<4) }

const (
	codeBits = 15 // the longest code, RFC 1951 section 3.2.7

	// Root tables are indexed with that many bits. The sizes hold the root and all
	// sub-tables of any complete code for 288, 32 and 19 symbols: they are what
	// zlib's program "enough" finds for these roots.
	literalRoot, literalSize   = 10, 1334
	distanceRoot, distanceSize = 8, 402
	lengthRoot, lengthSize     = 7, 128
)

// decoder finds the symbol at the front of a bit stream.
type decoder struct {
	table []uint32
	bits  uint   // of the root table's index
	mask  uint64 // of as many bits
}

// find returns the entry of the code at the lowest bits of acc.
func (d *decoder) find(acc uint64) uint32 {
	e := d.table[acc&d.mask]
	if e&entryTable != 0 {
		e = d.table[uint64(e>>16)+acc>>d.bits&(1<<(e>>4&15)-1)]
	}
	return e
}

// build makes the table for the canonical code with these lengths (RFC 1951
// section 3.2.2), at most root bits wide. Codes must be complete; but for one
// symbol alone with a length of 1, and for no symbol at all, as zlib has it. It
// returns whether they are.
func (d *decoder) build(lengths []uint8, symbols []uint32, root uint) bool {
	var count, next [codeBits + 2]int
	for _, n := range lengths {
		count[n]++
	}
	used := len(lengths) - count[0]
	count[0] = 0
	longest, left := 0, 1
	for n := 1; n <= codeBits; n++ {
		left = left<<1 - count[n]
		if left < 0 {
			return false
		}
		if count[n] > 0 {
			longest = n
		}
		next[n+1] = next[n] + count[n]
	}
	if left > 0 && used > 0 && (used != 1 || longest != 1) {
		return false
	}
	d.bits = max(1, min(root, uint(longest)))
	d.mask = 1<<d.bits - 1
	if used < 2 {
		d.lone(lengths, symbols)
		return true
	}
	var sorted [288]uint16
	for s, n := range lengths {
		if n > 0 {
			sorted[next[n]] = uint16(s)
			next[n]++
		}
	}
	d.fill(sorted[:used], symbols, &count)
	return true
}

// lone makes the table of a code with one symbol or none.
func (d *decoder) lone(lengths []uint8, symbols []uint32) {
	d.table[0], d.table[1] = 0, 0
	for s, n := range lengths {
		if n == 1 {
			d.table[0] = symbols[s] | 1
		}
	}
}

// fill goes through the codes in their order. They are read from their first bit
// on, and the stream begins at the lowest bit, so code holds each one reversed.
func (d *decoder) fill(sorted []uint16, symbols []uint32, count *[codeBits + 2]int) {
	n := 1
	code := uint(0)
	for ; n <= int(d.bits); n++ {
		for range count[n] {
			d.table[code] = symbols[sorted[0]] | uint32(n)
			sorted = sorted[1:]
			code = following(code, n)
		}
		if n < int(d.bits) { // codes that are longer have both values of the next bit
			copy(d.table[1<<n:2<<n], d.table[:1<<n])
		}
	}
	root := uint(1)<<d.bits - 1
	at, size, prefix := uint(1)<<d.bits, uint(0), ^uint(0)
	for ; len(sorted) > 0; n++ {
		for range count[n] {
			if code&root != prefix {
				prefix = code & root
				at += size
				wide := subBits(n, int(d.bits), count)
				size = 1 << wide
				d.table[prefix] = entry(entryTable, wide, int(at)) | uint32(d.bits)
			}
			e := symbols[sorted[0]] | uint32(n)
			for i := code >> d.bits; i < size; i += 1 << (n - int(d.bits)) {
				d.table[at+i] = e
			}
			sorted = sorted[1:]
			code = following(code, n)
			count[n]--
		}
	}
}

// following returns the code of n bits after a reversed one; after the last it is
// that one itself.
func following(code uint, n int) uint {
	free := ^code & (1<<n - 1)
	if free == 0 {
		return code
	}
	bit := uint(1) << (bits.Len(free) - 1)
	return code&(bit-1) | bit
}

// subBits is the width of the sub-table whose first code has n bits; count tells
// how many codes of each length are still to come.
func subBits(n, root int, count *[codeBits + 2]int) int {
	wide := n - root
	for room := count[n]; room < 1<<wide && root+wide < codeBits; {
		wide++
		room = room<<1 + count[root+wide]
	}
	return wide
}

// The meaning of the symbols, RFC 1951 section 3.2.5.
var (
	literalSymbols  = literalEntries()
	distanceSymbols = distanceEntries()
	lengthSymbols   = lengthEntries()
)

func literalEntries() []uint32 {
	s := make([]uint32, 288)
	for i := range 256 {
		s[i] = entry(entryLiteral, 0, i)
	}
	s[256] = entry(entryEnd, 0, 0)
	for i, base := 257, 3; i < 285; i++ {
		extra := max(0, (i-261)/4)
		s[i] = entry(0, extra, base)
		base += 1 << extra
	}
	s[285] = entry(0, 0, 258)
	s[286], s[287] = entry(entryRefused, 0, 0), entry(entryRefused, 0, 0)
	return s
}

func distanceEntries() []uint32 {
	s := make([]uint32, 32)
	for i, base := 0, 1; i < 30; i++ {
		extra := max(0, i/2-1)
		s[i] = entry(0, extra, base)
		base += 1 << extra
	}
	s[30], s[31] = entry(entryRefused, 0, 0), entry(entryRefused, 0, 0)
	return s
}

// lengthEntries are those of the code that the lengths of the others are sent in.
func lengthEntries() []uint32 {
	s := make([]uint32, 19)
	for i := range s {
		s[i] = entry(0, 0, i)
	}
	return s
}

// fixedLengths are those of the code in RFC 1951 section 3.2.6.
func fixedLengths() (literals, distances []uint8) {
	literals, distances = make([]uint8, 288), make([]uint8, 32)
	for i := range literals {
		switch {
		case i < 144:
			literals[i] = 8
		case i < 256:
			literals[i] = 9
		case i < 280:
			literals[i] = 7
		default:
			literals[i] = 8
		}
	}
	for i := range distances {
		distances[i] = 5
	}
	return literals, distances
}

var fixedLiterals, fixedDistances = fixedDecoders()

func fixedDecoders() (literals, distances decoder) {
	literals.table, distances.table = make([]uint32, 512), make([]uint32, 32)
	l, d := fixedLengths()
	literals.build(l, literalSymbols, literalRoot)
	distances.build(d, distanceSymbols, distanceRoot)
	return literals, distances
}
