// Package record notes what becomes of a response on its way through the writers that
// middleware puts around the server's.
package record

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"

	"github.com/nextrush/nextrush/internal/header"
	"github.com/nextrush/nextrush/internal/hijack"
)

// Writer notes what goes through to a writer: the server's, or one that middleware put
// around it.
type Writer struct {
	http.ResponseWriter
	Size     int64 // bytes
	Status   int32 // 0: none yet
	Hijacked bool  // the connection is no longer the server's
	Last     bool  // no other Writer is below: what is written goes out
	Broke    bool  // a write has failed
	bare     bool  // it has begun with BeginWith
}

// Unwrap lets http.ResponseController find the writer's optional methods.
func (w *Writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *Writer) WriteHeader(code int) {
	if code >= 200 || code == http.StatusSwitchingProtocols {
		w.begin(code)
	} else {
		w.CleanHeader()
	}
	w.ResponseWriter.WriteHeader(code)
}

// BeginWith is WriteHeader for an answer of whose header nothing is known yet but the
// Content-Type, if the server's writer makes no header for it. Otherwise it does nothing,
// and returns false.
func (w *Writer) BeginWith(code int, contentType string) bool {
	server, ok := w.ResponseWriter.(interface{ BeginWith(int, string) bool })
	if !ok || !w.Last || w.Status != 0 || !header.IsClean(contentType) || !server.BeginWith(code, contentType) {
		return false
	}
	w.Status, w.bare = int32(code), true
	return true
}

// CleanHeader is for the moment before the header is sent, and for that before the
// trailer is, which net/http takes from the header (RFC 9110 §6.5).
func (w *Writer) CleanHeader() {
	if w.Last && !w.bare && (w.Status == 0 || w.Header()["Trailer"] != nil) {
		header.Clean(w.Header())
	}
}

// begin notes the status of a response that has none yet.
func (w *Writer) begin(code int) {
	if w.Status == 0 {
		w.CleanHeader()
		w.Status = int32(code)
	}
}

func (w *Writer) Write(b []byte) (int, error) {
	w.begin(http.StatusOK)
	n, err := w.ResponseWriter.Write(b)
	w.note(int64(n), err)
	return n, err
}

// ReadFrom lets the real writer use sendfile.
func (w *Writer) ReadFrom(src io.Reader) (int64, error) {
	w.begin(http.StatusOK)
	n, err := io.Copy(w.ResponseWriter, src)
	w.note(n, err)
	return n, err
}

// WriteString saves a copy if the real writer takes strings.
func (w *Writer) WriteString(s string) (int, error) {
	w.begin(http.StatusOK)
	n, err := io.WriteString(w.ResponseWriter, s)
	w.note(int64(n), err)
	return n, err
}

func (w *Writer) note(n int64, err error) {
	w.Size += n
	w.Broke = w.Broke || err != nil
}

// FlushError sends what is buffered. Where the writer cannot, that is
// http.ErrNotSupported, and nothing has begun.
func (w *Writer) FlushError() error {
	w.CleanHeader()
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if !errors.Is(err, http.ErrNotSupported) {
		w.begin(http.StatusOK)
		w.note(0, err)
	}
	return err
}

// Flush is FlushError for those that look for an http.Flusher.
func (w *Writer) Flush() { w.FlushError() }

// Hijack is for middleware that looks for an http.Hijacker.
func (w *Writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
		w.Hijacked = true
	}
	return conn, rw, err
}

// Hold is Hijack for those who have the connection polled themselves, see hijack.Hold.
func (w *Writer) Hold() (conn net.Conn, early []byte, err error) {
	conn, early, err = hijack.Hold(w.ResponseWriter)
	if err == nil {
		w.begin(http.StatusSwitchingProtocols)
		w.Hijacked = true
	}
	return conn, early, err
}

// Gone is the Writer of a connection that is a WebSocket's now. It keeps no other: that of
// net/http would keep its buffers.
func Gone() Writer {
	return Writer{ResponseWriter: gone{make(http.Header)}, Status: http.StatusSwitchingProtocols, Hijacked: true}
}

type gone struct{ header http.Header }

func (g gone) Header() http.Header       { return g.header }
func (gone) WriteHeader(int)             {}
func (gone) Write(b []byte) (int, error) { return 0, http.ErrHijacked }

// HasLength reports whether a response with that header may be given a Content-Length: it
// has none, and a body without trailer (RFC 9110 §8.6, §6.5.1).
func HasLength(code int, h http.Header) bool {
	if code < 200 || code == http.StatusNoContent || code == http.StatusNotModified {
		return false
	}
	return h["Content-Length"] == nil && h["Trailer"] == nil && h["Transfer-Encoding"] == nil
}

// Lacks says whose method is missing if that is why err came.
func Lacks(w http.ResponseWriter, method string, err error) error {
	if !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return fmt.Errorf("%w: the writer is a %T, which has neither %s nor Unwrap", err, innermost(w), method)
}

// CanFlush returns an error if the writer at the bottom cannot flush, whatever
// those around it claim.
func CanFlush(w http.ResponseWriter) error {
	switch innermost(w).(type) {
	case http.Flusher, interface{ FlushError() error }:
		return nil
	}
	return Lacks(w, "Flush", http.ErrNotSupported)
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

// Discard makes the writers from w down to the last one forget what they hold back, and
// Writers above those forget that it was written.
func Discard(w http.ResponseWriter, last *Writer) { discard(w, last) }

// discard returns the first Writer that it finds, and whether a writer above that holds
// back.
func discard(w http.ResponseWriter, last *Writer) (below *Writer, held bool) {
	d, holds := w.(interface{ Discard() })
	if holds {
		d.Discard()
	}
	inner, ok := w.(interface{ Unwrap() http.ResponseWriter })
	if !ok {
		return last, holds
	}
	below, held = discard(inner.Unwrap(), last)
	r, ok := w.(*Writer)
	if !ok {
		return below, held || holds
	}
	if held && below.Status == 0 {
		r.Status, r.Size = 0, 0
	}
	return r, false
}
