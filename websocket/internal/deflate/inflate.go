package deflate

import "encoding/binary"

// inflate reads the whole input, RFC 1951. A message may go on behind a final
// block: RFC 7692 section 7.2.3.4.
func (r *reader) inflate() error {
	for {
		final, err := r.block()
		if err != nil {
			return err
		}
		if !final {
			continue
		}
		r.align()
		// A sender may leave out the octet that opens the ending's first block.
		if left := r.end - r.pos; left == 0 || left == len(ending) {
			return r.show()
		}
	}
}

func (r *reader) block() (final bool, err error) {
	r.refill()
	final = r.take(1) == 1
	switch r.take(2) {
	case 0:
		err = r.stored()
	case 1:
		err = r.codes(&fixedLiterals, &fixedDistances)
	case 2:
		if err = r.lengths(); err == nil {
			err = r.codes(&r.literals, &r.distances)
		}
	default:
		err = errCorrupt
	}
	if err == nil && r.passed() {
		err = errCut
	}
	return final, err
}

// refill makes at least 56 bits available. Behind the input come zeros; passed
// tells whether any of them were used.
func (r *reader) refill() {
	if r.pos+8 <= len(r.buf) {
		r.bits |= binary.LittleEndian.Uint64(r.buf[r.pos:]) << r.n
	}
	r.pos += int(63-r.n) >> 3
	r.n |= 56
}

func (r *reader) passed() bool { return r.pos-int(r.n>>3) > r.end }

func (r *reader) take(n uint) int {
	v := r.bits & (1<<n - 1)
	r.bits >>= n
	r.n -= n
	return int(v)
}

// align goes on to the next whole byte.
func (r *reader) align() {
	r.pos -= int(r.n >> 3)
	r.bits, r.n = 0, 0
}

func (r *reader) stored() error {
	r.align()
	if r.pos+4 > r.end {
		return errCut
	}
	n := int(binary.LittleEndian.Uint16(r.buf[r.pos:]))
	if n^0xffff != int(binary.LittleEndian.Uint16(r.buf[r.pos+2:])) {
		return errCorrupt
	}
	r.pos += 4
	if r.pos+n > r.end {
		return errCut
	}
	if err := r.room(n); err != nil {
		return err
	}
	r.out = append(r.out, r.buf[r.pos:r.pos+n]...)
	r.pos += n
	return nil
}

// lengthOrder is the order of the lengths of the lengths, RFC 1951 section 3.2.7.
var lengthOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// lengths reads the codes of a block, RFC 1951 section 3.2.7.
func (r *reader) lengths() error {
	literals, distances, n := 257+r.take(5), 1+r.take(5), 4+r.take(4)
	if literals > 286 || distances > 30 {
		return errCorrupt
	}
	var of [19]uint8
	for _, i := range lengthOrder[:n] {
		r.refill()
		of[i] = uint8(r.take(3))
	}
	d := decoder{table: r.lengthTable[:]}
	if !d.build(of[:], lengthSymbols, lengthRoot) {
		return errCorrupt
	}
	var all [286 + 30]uint8
	if err := r.runs(&d, all[:literals+distances]); err != nil {
		return err
	}
	if !r.literals.build(all[:literals], literalSymbols, literalRoot) ||
		!r.distances.build(all[literals:literals+distances], distanceSymbols, distanceRoot) {
		return errCorrupt
	}
	return nil
}

// runs reads lengths of codes, in which 16 to 18 stand for repetitions.
func (r *reader) runs(d *decoder, to []uint8) error {
	for i := 0; i < len(to); {
		r.refill()
		e := d.find(r.bits)
		if e == 0 {
			return errCorrupt
		}
		r.take(uint(e & 15))
		value, times := uint8(0), 1
		switch symbol := e >> 16; symbol {
		case 16:
			if i == 0 {
				return errCorrupt
			}
			value, times = to[i-1], 3+r.take(2)
		case 17:
			times = 3 + r.take(3)
		case 18:
			times = 11 + r.take(7)
		default:
			value = uint8(symbol)
		}
		if times > len(to)-i {
			return errCorrupt
		}
		for range times {
			to[i] = value
			i++
		}
	}
	return nil
}

// codes reads literals and repetitions up to the end of the block. The place in
// the input is in local variables meanwhile, for speed.
func (r *reader) codes(literals, distances *decoder) error {
	buf, pos, acc, n := r.buf, r.pos, r.bits, r.n
	var err error
	for err == nil {
		// The longest symbol takes 15+5 bits, and 15+13 for its distance.
		if n < 48 {
			if pos+8 > len(buf) {
				return errCut
			}
			acc |= binary.LittleEndian.Uint64(buf[pos:]) << n
			pos += int(63-n) >> 3
			n |= 56
		}
		e := literals.find(acc)
		if e&entryLiteral != 0 {
			acc, n = acc>>(e&15), n-uint(e&15)
			if len(r.out) >= r.stop {
				if err = r.room(1); err != nil {
					break
				}
			}
			r.out = append(r.out, byte(e>>16))
			continue
		}
		if e&entryEnd != 0 {
			r.pos, r.bits, r.n = pos, acc>>(e&15), n-uint(e&15)
			return nil
		}
		if e == 0 || e&entryRefused != 0 {
			return errCorrupt
		}
		length, used := value(e, acc)
		acc, n = acc>>used, n-used
		if e = distances.find(acc); e == 0 || e&entryRefused != 0 {
			return errCorrupt
		}
		distance, used := value(e, acc)
		acc, n = acc>>used, n-used
		err = r.repeat(distance, length)
	}
	return err
}

// value returns the length or distance that an entry and the extra bits behind its
// code stand for, and how many bits that took.
func value(e uint32, acc uint64) (v int, used uint) {
	code, extra := e&15, e>>4&15
	return int(e>>16) + int(acc>>code&(1<<extra-1)), uint(code + extra)
}

// repeat appends length bytes from distance bytes before.
func (r *reader) repeat(distance, length int) error {
	if len(r.out)+length > r.stop {
		if err := r.room(length); err != nil {
			return err
		}
	}
	if before := distance - (len(r.out) - r.start); before > 0 {
		if before > len(r.dict) {
			return errCorrupt
		}
		from := r.dict[len(r.dict)-before:]
		from = from[:min(length, before)]
		r.out = append(r.out, from...)
		length -= len(from)
	}
	for at := len(r.out) - distance; length > 0; { // they may overlap
		from := r.out[at:]
		from = from[:min(length, len(from))]
		r.out = append(r.out, from...)
		length -= len(from)
	}
	return nil
}
