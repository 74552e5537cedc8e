package deflate

import (
	"errors"
	"sync"
)

var (
	// ErrTooLarge is returned when a message inflates to more than its limit.
	ErrTooLarge = errors.New("deflate: message too large")
	// ErrRefused is returned when the caller's check refuses a piece of the message.
	ErrRefused = errors.New("deflate: message refused")

	errCorrupt = errors.New("deflate: corrupt input")
	errCut     = errors.New("deflate: input ends in the middle")
)

// maxKept is the largest input buffer that stays in the pool, in bytes.
const maxKept = 64 << 10

// pieceSize is how many bytes are inflated before they are checked, about.
const pieceSize = 32 << 10

// ending is the 00 00 FF FF that RFC 7692 section 7.2.2 appends, and a final
// empty stored block, so that the input has an end.
var ending = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// padding lets the reader load eight bytes wherever the input may still go on.
var padding [16]byte

// Decompress appends the inflated form of one message to dst and returns it.
// dict holds the last 32 KiB or less of the messages before it (see [Window]),
// nil without context takeover. The result is never longer than len(dst)+limit
// bytes: ErrTooLarge is returned before it would be. Corrupt input returns another error. With an
// error the bytes inflated so far are returned. Safe from any goroutine.
func Decompress(dst, compressed, dict []byte, limit int64) ([]byte, error) {
	return DecompressChecked(dst, compressed, dict, limit, nil)
}

// DecompressChecked is [Decompress] that shows every inflated piece, in order,
// to check before it appends it. When check returns false, inflating stops
// and ErrRefused is returned. A piece is borrowed until check returns.
func DecompressChecked(dst, compressed, dict []byte, limit int64, check func([]byte) bool) ([]byte, error) {
	r := readers.Get().(*reader)
	defer readers.Put(r)
	return r.decompress(dst, compressed, dict, limit, check)
}

var readers = sync.Pool{New: func() any { return newReader() }}

// reader is a pooled decompressor together with its input and output.
//
// It is our own because the pooled readers of the library keep the distance code
// of the message before, and read a message that declares none with it; and
// because most of the time for a small message goes into what a reader of
// streams needs, such as a window beside the output.
type reader struct {
	buf  []byte // the message, its ending and padding
	end  int    // of message and ending in buf
	pos  int    // in buf, behind what is in bits
	bits uint64 // loaded and not yet used, from the lowest on
	n    uint   // how many bits that are

	literals, distances decoder
	literalTable        [literalSize]uint32
	distanceTable       [distanceSize]uint32
	lengthTable         [lengthSize]uint32

	dict  []byte
	out   []byte
	start int // where the message begins in out
	shown int // up to where check has seen out
	stop  int // up to where out may grow before room is asked
	limit int64
	check func([]byte) bool
}

func newReader() *reader {
	r := new(reader)
	r.literals.table, r.distances.table = r.literalTable[:], r.distanceTable[:]
	return r
}

func (r *reader) decompress(dst, compressed, dict []byte, limit int64, check func([]byte) bool) ([]byte, error) {
	r.buf = append(append(append(r.buf[:0], compressed...), ending...), padding[:]...)
	r.end, r.pos, r.bits, r.n = len(r.buf)-len(padding), 0, 0, 0
	r.dict, r.out, r.start, r.shown, r.stop = dict, dst, len(dst), len(dst), 0
	r.limit, r.check = limit, check
	defer r.release()
	err := r.inflate()
	return r.out, err
}

// release lets go of everything that belongs to the caller.
func (r *reader) release() {
	r.dict, r.out, r.check = nil, nil, nil
	if cap(r.buf) > maxKept {
		r.buf = nil
	}
}

// room makes room for n bytes more. It is the only way past stop, so that the
// limit is kept here alone.
func (r *reader) room(n int) error {
	left := r.limit - int64(len(r.out)-r.start)
	if int64(n) > left {
		return ErrTooLarge
	}
	if len(r.out)-r.shown >= pieceSize {
		if err := r.show(); err != nil {
			return err
		}
	}
	if cap(r.out)-len(r.out) < n {
		size := len(r.out) + max(n, int(min(int64(cap(r.out)), left)))
		r.out = append(make([]byte, 0, size), r.out...)
	}
	more := min(int64(cap(r.out)-len(r.out)), left, int64(max(n, pieceSize)))
	r.stop = len(r.out) + int(more)
	return nil
}

// show lets the caller check what it has not yet seen.
func (r *reader) show() error {
	piece := r.out[r.shown:]
	r.shown = len(r.out)
	if r.check != nil && len(piece) > 0 && !r.check(piece) {
		return ErrRefused
	}
	return nil
}
