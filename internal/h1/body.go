package h1

import (
	"io"
	"net/http"
)

// A Body finds the end of a request's body, and decodes it if it is chunked.
type Body struct {
	state   state
	chunked bool
	line    int   // bytes of the chunk's line so far
	digits  int   // of the chunk's size so far
	left    int64 // of the content, or of the chunk
	excess  int64 // bytes of chunks that are more than is usual
	block   []byte
	trailer http.Header
	err     error
}

// Body returns the body that follows the head.
func (h *Head) Body() Body {
	switch {
	case h.Length < 0:
		return Body{chunked: true, state: size}
	case h.Length == 0:
		return Body{err: io.EOF}
	}
	return Body{state: content, left: h.Length}
}

// Next takes the body from the front of buf: n is how many bytes it has consumed, and data
// is what of them is content, a part of buf. It returns as soon as it has content; with
// neither content nor an error it has consumed all of buf.
//
// The error is io.EOF at the end of the body, perhaps together with its last content: the
// next request then begins at buf[n:]. Any other error is a *Refusal; the rest of the
// connection has no meaning then. Both are returned again if Next is called again.
func (b *Body) Next(buf []byte) (data []byte, n int, err error) {
	for n < len(buf) && b.err == nil {
		if b.state == content {
			data = buf[n:][:min(b.left, int64(len(buf)-n))]
			b.take(int64(len(data)))
			return data, n + len(data), b.err
		}
		b.err = b.step(buf[n])
		n++
	}
	return nil, n, b.err
}

// take counts content.
func (b *Body) take(n int64) {
	b.left -= n
	switch {
	case b.left > 0:
	case b.chunked:
		b.state = contentCR
	default:
		b.err = io.EOF
	}
}

// Left returns how many bytes of content are to come, or -1 if that is not known.
func (b *Body) Left() int64 {
	switch {
	case b.err != nil:
		return 0
	case b.chunked:
		return -1
	}
	return b.left
}

// Ahead returns how many bytes of content come next, before anything else; 0: perhaps none.
func (b *Body) Ahead() int64 {
	if b.err != nil || b.state != content {
		return 0
	}
	return b.left
}

// Trailer returns the fields after the content of a body that has ended, or nil. They are to
// be put into Request.Trailer, whether they have been announced or not.
func (b *Body) Trailer() http.Header { return b.trailer }
