// Package body reads what comes with a request: once, no more than a limit, and as a form.
package body

import (
	"bytes"
	"io"
	"math"
	"mime/multipart"
	"net/http"
	"net/url"

	"github.com/nextrush/nextrush/internal/query"
)

// Body is what has been read of a request's body. Its methods are for one goroutine at a
// time, and all get the same request, or what middleware has made of it.
type Body struct {
	Max int64 // bytes that may be read; negative: any number

	raw     io.ReadCloser // the request's, without its limit
	limited io.ReadCloser // raw with it, as long as nothing was put around it

	read  bool // bytes and err are what reading gave
	bytes []byte
	err   error

	values url.Values      // of the form that bytes are
	form   *multipart.Form // whose files have to be removed
}

// IsEmpty reports whether a request has come without a body.
func IsEmpty(r *http.Request) bool { return r.Body == nil || r.Body == http.NoBody }

// Limit sets Max, and puts that limit around the body of r, in the place of the last one.
// w is what the server gave: it ends the connection of a client that sends more.
func (b *Body) Limit(w http.ResponseWriter, r *http.Request, limit int64) {
	b.Max = limit
	if IsEmpty(r) {
		return
	}
	if r.Body != b.limited {
		b.raw = r.Body
	}
	b.limited = http.MaxBytesReader(w, b.raw, limit)
	r.Body = b.limited
	tell(w, limit)
}

// tell tells the limit to a writer that is not net/http's, which is the only one that
// http.MaxBytesReader tells that it was exceeded.
func tell(w http.ResponseWriter, limit int64) {
	for {
		switch below := w.(type) {
		case interface{ LimitBody(bytes int64) }:
			below.LimitBody(limit)
			return
		case interface{ Unwrap() http.ResponseWriter }:
			w = below.Unwrap()
		default:
			return
		}
	}
}

// WasRead reports whether Bytes was called.
func (b *Body) WasRead() bool { return b.read }

// Bytes reads the whole body, once; asked again it returns the same. An error is an *Error.
func (b *Body) Bytes(r *http.Request) ([]byte, error) {
	if !b.read {
		b.bytes, b.err = b.readAll(r)
		b.read = true
	}
	return b.bytes, b.err
}

func (b *Body) readAll(r *http.Request) ([]byte, error) {
	if IsEmpty(r) {
		return nil, nil
	}
	limit := b.Max
	if limit < 0 {
		limit = math.MaxInt64
	}
	return readUpTo(limit, r.Body, r.ContentLength)
}

// readUpTo reads to the end, at once if the size is known and modest. The
// limit counts here too, for middleware may have put a decoder on the body.
func readUpTo(limit int64, r io.Reader, size int64) ([]byte, error) {
	if size > limit {
		return nil, tooLarge
	}
	if size < 0 || size > 64<<10 {
		size = 511
	}
	data := make([]byte, 0, size+1) // one more, for the read that finds the end
	for {
		n, err := r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		switch {
		case int64(len(data)) > limit:
			return nil, tooLarge
		case err == io.EOF:
			return data, nil
		case err != nil:
			return nil, &Error{http.StatusBadRequest, "the body could not be read", err}
		case len(data) == cap(data):
			data = append(data, 0)[:len(data)]
		}
	}
}

// Values returns the fields of the form that the body is, which is parsed once.
func (b *Body) Values(r *http.Request) (url.Values, error) {
	if b.values != nil {
		return b.values, nil
	}
	text, err := b.Bytes(r)
	if err != nil {
		return nil, err
	}
	values, err := query.Parse(string(text))
	if err != nil {
		return nil, unparsed(err)
	}
	b.values = values
	return values, nil
}

// Form parses the body as a form with files, once.
func (b *Body) Form(r *http.Request) (*multipart.Form, error) {
	if r.MultipartForm == nil {
		if b.read {
			r.Body = io.NopCloser(bytes.NewReader(b.bytes))
		}
		if err := parse(r); err != nil {
			return nil, unparsed(err)
		}
		b.form = r.MultipartForm
	}
	return r.MultipartForm, nil
}

// Adopt takes over what another Body has read of the request, and the files that are to
// be removed.
func (b *Body) Adopt(other *Body) {
	b.RemoveFiles(other)
	b.form, b.read, b.bytes, b.err = other.form, other.read, other.bytes, other.err
}

// RemoveFiles removes the files of the form, unless they are the other's as well, which
// may be nil.
func (b *Body) RemoveFiles(other *Body) {
	if b.form != nil && (other == nil || other.form != b.form) {
		b.form.RemoveAll()
	}
}
