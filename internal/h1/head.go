package h1

import (
	"bytes"
	"errors"
)

// Slop is how many bytes more than MaxHeaderBytes a head may have, as net/http counts.
const Slop = 4096

// ErrElsewhere is returned by Parse for a request that is legal and that net/http is to
// answer, with every byte of it: CONNECT, and the preface of HTTP/2.
var ErrElsewhere = errors.New("h1: request is left to net/http")

// A Head is the head of a request. Its fields have what they have in an http.Request;
// they are valid once Parse has found the head whole. They refer to a copy of the head,
// not to the buffer that it came in. The zero value is ready for Parse, and so is one
// that has been used.
type Head struct {
	Method string
	Target string // Request.RequestURI
	Proto  string // HTTP/1.x
	Minor  int    // x of HTTP/1.x
	Host   string // of the target, or the field if the target has none

	Length   int64 // of the body, in bytes; -1 if it is chunked
	Close    bool  // Request.Close
	Continue bool  // whether the client may be waiting for ContinueHead before it sends the body
	Upgrade  bool  // whether there is an Upgrade field

	line   line
	fields fields
	asked  Asked
}

// Parse reads the head that buf begins with. The request's line and fields are checked as
// soon as they have come whole.
//
// If the head is whole, n is its length. Otherwise n is where to go on: once more bytes
// have come, Parse is to be called with all of them and with n as from, which is 0 at
// first; the Head may be another one. A head that is not whole within maxHeaderBytes and
// Slop is refused.
//
// The error is ErrElsewhere or a *Refusal; both are final. For a Refusal the Head is good
// for Asked only.
func (h *Head) Parse(buf []byte, from, maxHeaderBytes int) (n int, whole bool, err error) {
	h.reset()
	limit := maxHeaderBytes + Slop
	buf = buf[:min(len(buf), limit)]
	n, whole, err = h.read(buf, from)
	if whole && from > 0 { // what the lines before from say is wanted as well
		return h.Parse(buf[:n], 0, maxHeaderBytes)
	}
	switch {
	case err != nil:
		return 0, false, err
	case whole:
		h.copy(buf[:n])
		err = h.decide()
	case len(buf) == limit:
		err = errTooLarge
	}
	return n, whole && err == nil, err
}

// maxSpare is how many fields a Head that is used again has room for besides the first.
const maxSpare = 256

func (h *Head) reset() {
	more := h.fields.more[:0]
	if cap(more) > maxSpare {
		more = nil
	}
	*h = Head{fields: fields{more: more}}
}

// read reads from the line at from to the empty one, or to the last whole one.
func (h *Head) read(buf []byte, from int) (n int, whole bool, err error) {
	for at := from; ; {
		i := bytes.IndexByte(buf[at:], '\n')
		if i < 0 {
			return at, false, nil
		}
		end := at + i - 1 // of the line, where the CRLF is
		switch {
		case i == 0 || buf[end] != '\r':
			err = errBareLF
		case at == 0:
			err = h.line.read(buf[:end])
		case end == at:
			return end + 2, true, nil
		default:
			err = h.fields.read(buf[:end], at)
		}
		if err != nil {
			return 0, false, err
		}
		at = end + 2
	}
}

// copy takes the head out of the buffer.
func (h *Head) copy(b []byte) {
	f, l := &h.fields, &h.line
	f.copy(b)
	h.Method = f.own(f.text[:l.method])
	h.Target = f.own(f.text[l.method+1 : l.target])
	h.Proto = f.own(f.text[l.target+1 : l.end])
	h.Minor = l.minor
}

// SkipLines returns how many bytes of CR and LF before a request line are to be skipped,
// 4 at the most. That is for a request after a POST only: old clients end its body with a
// CRLF too many (RFC 9112 §2.2). ok is false if it cannot be told before more has come.
func SkipLines(buf []byte) (n int, ok bool) {
	for n < min(len(buf), 4) && (buf[n] == '\r' || buf[n] == '\n') {
		n++
	}
	return n, len(buf) >= 4
}

// Asked is what an answer has to know of the request.
type Asked struct {
	Minor     int8 // x of HTTP/1.x
	Head      bool // whether the method is HEAD
	Close     bool // whether the client wants no further answer
	KeepAlive bool // whether a client of HTTP/1.0 wants one
}

// Asked returns what Answer has to know of the request.
func (h *Head) Asked() Asked { return h.asked }
