// Package head answers a HEAD by handlers that are made for GET.
package head

import (
	"context"
	"errors"
	"io"
	"net/http"
)

// limit is how many bytes of content net/http may count for the Content-Length
// of a HEAD; it does so up to the size of its buffers, 2 KiB and, of HTTP/2, 4 KiB.
const limit = 4 << 10

// Writer is the writer of a HEAD, whose answer has no content (RFC 9110 §9.3.2)
// and is whole once its header has gone. Handlers for GET find the end of a stream
// by a write that fails, so writing fails then, and the request's context ends.
type Writer struct {
	http.ResponseWriter
	cancel context.CancelCauseFunc
	size   int
	whole  bool
}

// Answer returns the writer of a HEAD, and a request with the context that ends when the
// answer is whole. End has to be called when the handler has returned.
func Answer(w http.ResponseWriter, r *http.Request) (*Writer, *http.Request) {
	ctx, cancel := context.WithCancelCause(r.Context())
	return &Writer{ResponseWriter: w, cancel: cancel}, r.WithContext(ctx)
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write returns http.ErrBodyNotAllowed once the answer is whole.
func (w *Writer) Write(b []byte) (int, error) {
	if w.whole {
		return 0, http.ErrBodyNotAllowed
	}
	n, err := w.ResponseWriter.Write(b)
	w.count(n)
	return n, err
}

// WriteString saves a copy if the writer below takes strings.
func (w *Writer) WriteString(s string) (int, error) {
	if w.whole {
		return 0, http.ErrBodyNotAllowed
	}
	n, err := io.WriteString(w.ResponseWriter, s)
	w.count(n)
	return n, err
}

func (w *Writer) count(n int) {
	if w.size += n; w.size > limit {
		w.end()
	}
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *Writer) Flush() { w.FlushError() }

// FlushError sends the header, which makes the answer whole.
func (w *Writer) FlushError() error {
	if w.whole {
		return http.ErrBodyNotAllowed
	}
	err := http.NewResponseController(w.ResponseWriter).Flush()
	w.end()
	return err
}

func (w *Writer) end() {
	w.whole = true
	w.cancel(http.ErrBodyNotAllowed)
}

// End ends the context, if it has not ended yet.
func (w *Writer) End() { w.cancel(nil) }

// BrokeOff reports an error that only says that the HEAD of the context needs no more.
func BrokeOff(ctx context.Context, err error) bool {
	return context.Cause(ctx) == http.ErrBodyNotAllowed &&
		(errors.Is(err, http.ErrBodyNotAllowed) || errors.Is(err, context.Canceled))
}
