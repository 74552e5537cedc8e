package deflate

// Window holds the end of the messages seen so far, which the next one may
// refer to: context takeover, RFC 7692 section 7.1.1. The zero value is an
// empty window of 32 KiB; its memory grows only as it is filled. It is not
// safe for use by several goroutines at once.
type Window struct {
	Bits int // the window holds 1<<Bits bytes, 8 to 15; 0 means 15
	buf  []byte
}

// Append adds p to the window; the oldest bytes make room for it.
func (w *Window) Append(p []byte) {
	size := 1 << checkBits(w.Bits)
	if len(p) >= size {
		p, w.buf = p[len(p)-size:], w.buf[:0]
	}
	if over := len(w.buf) + len(p) - size; over > 0 {
		w.buf = w.buf[:copy(w.buf, w.buf[over:])]
	}
	w.grow(len(p), size)
	w.buf = append(w.buf, p...)
}

func (w *Window) grow(n, size int) {
	need := len(w.buf) + n
	if need <= cap(w.buf) {
		return
	}
	buf := make([]byte, 0, max(need, min(2*cap(w.buf), size)))
	w.buf = append(buf, w.buf...)
}

// Reset empties the window and keeps its memory.
func (w *Window) Reset() { w.buf = w.buf[:0] }

// Bytes returns the window's content, oldest byte first. It is borrowed until
// the next Append.
func (w *Window) Bytes() []byte { return w.buf }
