// Package content serves what has a size and may be asked for in part, by
// http.ServeContent.
package content

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/header"
)

// Serve is http.ServeContent, and keeps to RFC 9110 where that does not: see
// nextrush.ServeContent.
func Serve(w http.ResponseWriter, r *http.Request, name string, modified time.Time, content io.ReadSeeker) {
	giveTag(w, content)
	if value := r.Header.Get("Range"); value != "" {
		r = withHeader(r, "Range", header.Range(value, func() bool { return isEmpty(content) }))
	}
	for _, list := range []string{"If-Match", "If-None-Match"} {
		if tags := r.Header[list]; len(tags) > 1 {
			r = withHeader(r, list, strings.Join(tags, ", "))
		}
	}
	http.ServeContent(w, r, name, modified, content)
}

// Try is Serve, except that it does not answer a range that is not satisfied or a
// precondition that fails: it returns the status, and what the answer to that keeps of
// the header.
func Try(w http.ResponseWriter, r *http.Request, name string, modified time.Time, content io.ReadSeeker) (refused int, kept http.Header) {
	quiet := &writer{ResponseWriter: w}
	Serve(quiet, r, name, modified, content)
	if quiet.refused == 0 {
		return 0, nil
	}
	h := w.Header()
	if tag := h["Etag"]; tag != nil {
		kept = http.Header{"Etag": tag}
	}
	for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Type", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	return quiet.refused, kept
}

// writer keeps to itself what http.ServeContent says of an error.
type writer struct {
	http.ResponseWriter
	refused int // status of an error; 0: none
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *writer) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *writer) WriteHeader(code int) {
	if code >= 400 {
		w.refused = code
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *writer) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the writer before use sendfile.
func (w *writer) ReadFrom(src io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, src) }

// giveTag lets the first writer below w that gives tags give one to content: after
// http.ServeContent has begun it would be too late for conditions and ranges.
func giveTag(w http.ResponseWriter, content io.ReadSeeker) {
	for {
		if tagger, ok := w.(interface{ Tag(content io.ReadSeeker) }); ok {
			tagger.Tag(content)
			return
		}
		outer, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return
		}
		w = outer.Unwrap()
	}
}

// DropRanges removes too many ranges, and those of other methods than GET, for which a
// range has no meaning.
func DropRanges(r *http.Request) *http.Request {
	ranges := r.Header["Range"]
	if ranges == nil || r.Method == http.MethodGet && !header.ManyRanges(ranges[0]) {
		return r
	}
	return withHeader(r, "Range", "")
}

func isEmpty(content io.Seeker) bool {
	size, err := content.Seek(0, io.SeekEnd)
	return err == nil && size == 0
}

// withHeader returns a request with another value for a header, none if it is empty:
// the one that is served stays as it is.
func withHeader(r *http.Request, name, value string) *http.Request {
	own := *r
	own.Header = r.Header.Clone()
	own.Header.Del(name)
	if value != "" {
		own.Header.Set(name, value)
	}
	return &own
}
