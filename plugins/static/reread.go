package static

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strings"

	"github.com/nextrush/nextrush"
)

// reread adds Seek to a file that has none, such as one of a zip archive. It is read as
// it is sent, and opened again to go back.
type reread struct {
	fs.File
	fsys fs.FS
	name string
	size int64
	at   int64 // where File is
	next int64 // where Read goes on
}

func (r *reread) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += r.next
	case io.SeekEnd:
		offset += r.size
	}
	if offset < 0 {
		return 0, errors.New("static: seek before the start of " + r.name)
	}
	r.next = offset
	return offset, nil
}

func (r *reread) Read(p []byte) (int, error) {
	if r.next < r.at {
		again, err := r.fsys.Open(r.name)
		if err != nil {
			return 0, err
		}
		r.File.Close()
		r.File, r.at = again, 0
	}
	skipped, err := io.CopyN(io.Discard, r.File, r.next-r.at)
	if r.at += skipped; err != nil {
		return 0, err
	}
	n, err := r.File.Read(p)
	r.at += int64(n)
	r.next = r.at
	return n, err
}

// content opens a file. If the file cannot seek, it is sent whole to a client that asks
// for several ranges (RFC 9110 §14.2), which could have it read many times.
func (p *Plugin) content(c *nextrush.Context, from representation) (io.ReadSeekCloser, error) {
	f, err := p.fsys.Open(from.name)
	if err != nil {
		return nil, nextrush.NewError(http.StatusNotFound).WithCause(err)
	}
	if s, ok := f.(io.ReadSeekCloser); ok {
		return s, nil
	}
	if strings.Contains(c.Header("Range"), ",") {
		r := c.Request().Clone(c.Context())
		r.Header.Del("Range")
		c.SetRequest(r)
	}
	return &reread{File: f, fsys: p.fsys, name: from.name, size: from.info.Size()}, nil
}
