package nextrush

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"github.com/nextrush/nextrush/internal/content"
	"github.com/nextrush/nextrush/internal/header"
)

// File answers with a file, with ranges and If-Modified-Since. The path must be the
// program's own; for paths that come from clients use os.Root. A directory is 404, like a
// file that does not exist.
func (c *Context) File(path string) error {
	f, info, err := content.Open(path)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return NewError(http.StatusForbidden).WithCause(err)
	case err != nil:
		return NewError(http.StatusNotFound).WithCause(err)
	}
	defer f.Close()
	return c.ServeContent(info.Name(), info.ModTime(), f)
}

// Download answers with a file, to be saved under the name, or under its own without one.
// A path before the name is left out.
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
func (c *Context) ServeContent(name string, modified time.Time, data io.ReadSeeker) error {
	status, kept := content.Try(c.w, c.req, name, modified, data)
	if status == 0 {
		return nil
	}
	e := NewError(status)
	e.Header = kept
	return e
}

// ServeContent is http.ServeContent, and keeps to RFC 9110 where that does not: a
// range in another unit than bytes is ignored (§14.2), the last 0 bytes are not
// satisfied (§14.1.2), an empty content has no part (§14.4), and the lines of a list of
// tags add up (§5.3).
//
// It is for handlers of net/http; others have [Context.ServeContent].
func ServeContent(w http.ResponseWriter, r *http.Request, name string, modified time.Time, data io.ReadSeeker) {
	content.Serve(w, r, name, modified, data)
}
