package nextrush

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// headLimit is how many bytes of content net/http may count for the Content-Length
// of a HEAD; it does so up to the size of its buffers, 2 KiB and, of HTTP/2, 4 KiB.
const headLimit = 4 << 10

// headWriter is the writer of a HEAD, whose answer has no content (RFC 9110 §9.3.2)
// and is whole once its header has gone. Handlers for GET find the end of a stream
// by a write that fails, so writing fails then, and the request's context ends.
type headWriter struct {
	http.ResponseWriter
	cancel context.CancelCauseFunc
	size   int
	whole  bool
}

// head gives a HEAD its writer, and the context that ends with it.
func head(w http.ResponseWriter, r *http.Request) (*headWriter, *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	return &headWriter{ResponseWriter: w, cancel: cancel}, r.WithContext(ctx)
}

func (w *headWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write returns http.ErrBodyNotAllowed once the answer is whole.
func (w *headWriter) Write(b []byte) (int, error) {
	if w.whole {
		return 0, http.ErrBodyNotAllowed
	}
	n, err := w.ResponseWriter.Write(b)
	w.count(n)
	return n, err
}

// WriteString saves a copy where the writer below takes strings.
func (w *headWriter) WriteString(s string) (int, error) {
	if w.whole {
		return 0, http.ErrBodyNotAllowed
	}
	n, err := io.WriteString(w.ResponseWriter, s)
	w.count(n)
	return n, err
}

func (w *headWriter) count(n int) {
	if w.size += n; w.size > headLimit {
		w.end()
	}
}

func (w *headWriter) Flush() { w.FlushError() }

// FlushError sends the header, which makes the answer whole.
func (w *headWriter) FlushError() error {
	if w.whole {
		return http.ErrBodyNotAllowed
	}
	err := http.NewResponseController(w.ResponseWriter).Flush()
	w.end()
	return err
}

func (w *headWriter) end() {
	w.whole = true
	w.cancel(http.ErrBodyNotAllowed)
}

// brokeOff reports an error that only says that a HEAD needs no more.
func (c *Context) brokeOff(err error) bool {
	return context.Cause(c.req.Context()) == http.ErrBodyNotAllowed &&
		(errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, context.Canceled))
}
