package nextrush

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"

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
