package nextrush

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/header"
)

// File answers with a file, with ranges and If-Modified-Since. The path is the
// program's: it must not be made of what the client sent; for that there is
// os.Root. A directory is 404, like a file that is not there.
func (c *Context) File(path string) error {
	f, err := openFile(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return NewError(http.StatusNotFound)
	}
	return c.ServeContent(info.Name(), info.ModTime(), f)
}

// openFile opens exactly that path: a symbolic link at its end that leads out of
// its directory is refused.
func openFile(path string) (*os.File, error) {
	root, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, notFound(err)
	}
	defer root.Close()
	f, err := root.Open(filepath.Base(path))
	if err != nil {
		return nil, notFound(err)
	}
	return f, nil
}

func notFound(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return NewError(http.StatusForbidden).WithCause(err)
	}
	return NewError(http.StatusNotFound).WithCause(err)
}

// Download answers with a file to be saved under a name, without a path before it;
// without one, under its own.
func (c *Context) Download(path string, name ...string) error {
	h := c.w.Header()
	h.Set("Content-Disposition", header.Attachment(append(slices.Clip(name), filepath.Base(path))...))
	err := c.File(path)
	if err != nil {
		h.Del("Content-Disposition")
	}
	return err
}

// ServeContent answers with content as File does with a file. An ETag for it is set
// before. A range that is not satisfied and a precondition that fails are
// *HTTPErrors with status 416 and 412 (RFC 9110 §13.1, §14.4).
func (c *Context) ServeContent(name string, modified time.Time, content io.ReadSeeker) error {
	w := &contentWriter{ResponseWriter: c.w}
	ServeContent(w, c.req, name, modified, content)
	return w.refusal()
}

// contentWriter keeps to itself what http.ServeContent says of an error.
type contentWriter struct {
	http.ResponseWriter
	refused int // status of an error; 0: none
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w *contentWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *contentWriter) WriteHeader(code int) {
	if code >= 400 {
		w.refused = code
		return
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *contentWriter) Write(b []byte) (int, error) {
	if w.refused != 0 {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom lets the writer before use sendfile.
func (w *contentWriter) ReadFrom(src io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, src) }

// refusal returns the error, and takes from the header what was for the content.
func (w *contentWriter) refusal() error {
	if w.refused == 0 {
		return nil
	}
	h, e := w.Header(), NewError(w.refused)
	if tag := h["Etag"]; tag != nil {
		e.Header = http.Header{"Etag": tag}
	}
	for _, name := range []string{"Cache-Control", "Content-Encoding", "Content-Type", "Etag", "Last-Modified"} {
		h.Del(name)
	}
	return e
}

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

// ServeContent is http.ServeContent, and keeps to RFC 9110 where that does not: a
// range in another unit than bytes is ignored (§14.2), the last 0 bytes are not
// satisfied (§14.1.2), an empty content has no part (§14.4), and the lines of a list of
// tags add up (§5.3).
//
// It is for handlers of net/http; others have [Context.ServeContent].
func ServeContent(w http.ResponseWriter, r *http.Request, name string, modified time.Time, content io.ReadSeeker) {
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
