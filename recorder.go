package nextrush

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime/debug"

	"github.com/nextrush/nextrush/internal/header"
)

// recorder notes what goes through to a writer: the real one, or one that
// middleware put around it.
type recorder struct {
	http.ResponseWriter
	size     int64
	status   int32
	hijacked bool // the connection is no longer net/http's
	last     bool // no other recorder is below: what is written goes out
	broke    bool // a write has failed
}

// Unwrap lets http.ResponseController find the writer's optional methods.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *recorder) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.begin(code)
	} else {
		w.cleanHeader()
	}
	w.ResponseWriter.WriteHeader(code)
}

// cleanHeader is for the moment before the header is sent, and for that before the
// trailer is, which net/http takes from the header (RFC 9110 §6.5).
func (w *recorder) cleanHeader() {
	if w.last && (w.status == 0 || w.Header()["Trailer"] != nil) {
		header.Clean(w.Header())
	}
}

// begin notes the status of a response that has none yet.
func (w *recorder) begin(code int) {
	if w.status == 0 {
		w.cleanHeader()
		w.status = int32(code)
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.note(int64(n), err)
	return n, err
}

// ReadFrom lets the real writer use sendfile.
func (w *recorder) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	n, err := io.Copy(w.ResponseWriter, src)
	w.note(n, err)
	return n, err
}

// WriteString saves a copy if the real writer takes strings.
func (w *recorder) WriteString(s string) (int, error) {
	w.begin(http.StatusOK)
	n, err := io.WriteString(w.ResponseWriter, s)
	w.note(int64(n), err)
	return n, err
}

func (w *recorder) note(n int64, err error) {
	w.size += n
	w.broke = w.broke || err != nil
}

// FlushError sends what is buffered. Where the writer cannot, that is
// http.ErrNotSupported, and nothing has begun.
func (w *recorder) FlushError() error {
	w.cleanHeader()
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begin(http.StatusOK)
		w.note(0, err)
	}
	return err
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *recorder) Flush() { w.FlushError() }

// Hijack is for middleware that looks for an http.Hijacker.
func (w *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
		w.hijacked = true
	}
	return conn, rw, err
}

// lacks says whose method is missing if that is why err came.
func (c *Context) lacks(method string, err error) error {
	if !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return fmt.Errorf("%w: the writer is a %T, which has neither %s nor Unwrap", err, innermost(c.w), method)
}

// canFlush returns an error if the writer at the bottom cannot flush, whatever
// those around it claim.
func (c *Context) canFlush() error {
	switch innermost(c.w).(type) {
	case http.Flusher, interface{ FlushError() error }:
		return nil
	}
	return c.lacks("Flush", http.ErrNotSupported)
}

// innermost is the writer that shows none below it.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = outer.Unwrap()
	}
}

// discard makes w and the writers below it forget what they hold back, and recorders above
// those forget that it was written. It returns the first recorder that it finds, and
// whether a writer above that holds back.
func (c *Context) discard(w http.ResponseWriter) (below *recorder, held bool) {
	d, holds := w.(interface{ Discard() })
	if holds {
		d.Discard()
	}
	inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
	if !ok {
		return &c.out, holds
	}
	below, held = c.discard(inner.Unwrap())
	r, ok := w.(*recorder)
	if !ok {
		return below, held || holds
	}
	if held && below.status == 0 {
		r.status, r.size = 0, 0
	}
	return r, false
}

// protect runs the chain and turns a panic into an error.
func (c *Context) protect() (err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		if v == http.ErrAbortHandler {
			c.cutOff()
		}
		err = asPanicError(v)
	}()
	err = c.Next()
	c.out.cleanHeader() // which net/http sends if nothing was written
	return err
}

// asPanicError is the error that v becomes in the deferred function that recovered
// it. One that is a PanicError already knows where it began.
func asPanicError(v any) *PanicError {
	if p, ok := v.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}
