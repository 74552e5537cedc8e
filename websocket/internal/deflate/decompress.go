package deflate

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

var (
	// ErrTooLarge is returned when a message inflates to more than its limit.
	ErrTooLarge = errors.New("deflate: message too large")
	// ErrRefused is returned when the caller's check refuses a piece of the message.
	ErrRefused = errors.New("deflate: message refused")

	errFinals = errors.New("deflate: too many final blocks")
)

// maxFinals bounds the final blocks in one message. Each costs a copy of the
// window, 32 KiB, for two bytes on the wire.
const maxFinals = 1024

// maxKept is the largest input buffer that stays in the pool, in bytes.
const maxKept = 64 << 10

// ending is the 00 00 FF FF that RFC 7692 section 7.2.2 appends, and a final
// empty stored block, so that the reader sees an end.
var ending = []byte{0x00, 0x00, 0xff, 0xff, 0x01, 0x00, 0x00, 0xff, 0xff}

// Decompress appends the inflated form of one message to dst and returns it.
// dict holds the last 32 KiB or less of the messages before it (see [Window]),
// nil without context takeover. The result is never longer than len(dst)+limit
// bytes: ErrTooLarge is returned before it would be, and at most one window
// of 32 KiB is inflated in vain. Corrupt input returns another error. With an
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
type reader struct {
	flate  inflater
	in     bytes.Reader
	buf    []byte // the message and its ending
	window Window // what a block behind a final one may refer to

	out   []byte
	start int // where the message begins in out
	limit int64
	check func([]byte) bool
}

type inflater interface {
	io.WriterTo
	flate.Resetter
}

func newReader() *reader {
	r := new(reader)
	r.flate = flate.NewReader(&r.in).(inflater)
	return r
}

func (r *reader) decompress(dst, compressed, dict []byte, limit int64, check func([]byte) bool) ([]byte, error) {
	r.out, r.start, r.limit, r.check = dst, len(dst), limit, check
	r.buf = append(append(r.buf[:0], compressed...), ending...)
	r.in.Reset(r.buf)
	defer r.release()
	err := r.inflate(dict)
	return r.out, err
}

// inflate reads the whole input. The library's reader stops at a final block,
// but a message may go on behind one: RFC 7692 section 7.2.3.4.
func (r *reader) inflate(dict []byte) error {
	history := dict
	for range maxFinals {
		r.flate.Reset(&r.in, history)
		if _, err := r.flate.WriteTo(r); err != nil {
			return wrap(err)
		}
		// A sender may leave out the octet that opens the ending's first block.
		if n := r.in.Len(); n == 0 || n == len(ending) {
			return nil
		}
		history = r.history(dict)
	}
	return errFinals
}

// history returns what blocks behind a final one may refer to.
func (r *reader) history(dict []byte) []byte {
	message := r.out[r.start:]
	if len(dict) == 0 {
		return message
	}
	r.window.Reset()
	r.window.Append(dict)
	r.window.Append(message)
	return r.window.Bytes()
}

// release lets go of everything that belongs to the caller.
func (r *reader) release() {
	r.in.Reset(nil)
	r.out, r.check = nil, nil
	if cap(r.buf) > maxKept {
		r.buf = nil
	}
}

// wrap adds the package's name to the library's errors.
func wrap(err error) error {
	if err == ErrTooLarge || err == ErrRefused {
		return err
	}
	return fmt.Errorf("deflate: %w", err)
}

// Write takes one inflated piece. It is the end of every path into r.out, so
// that the limit is kept here alone.
func (r *reader) Write(p []byte) (int, error) {
	if int64(len(r.out)-r.start)+int64(len(p)) > r.limit {
		return 0, ErrTooLarge
	}
	if r.check != nil && !r.check(p) {
		return 0, ErrRefused
	}
	r.grow(len(p))
	r.out = append(r.out, p...)
	return len(p), nil
}

// grow makes room for n bytes by doubling, without passing the limit.
func (r *reader) grow(n int) {
	if cap(r.out)-len(r.out) >= n {
		return
	}
	left := r.limit - int64(len(r.out)-r.start)
	size := len(r.out) + max(n, int(min(int64(cap(r.out)), left)))
	r.out = append(make([]byte, 0, size), r.out...)
}
