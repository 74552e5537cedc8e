package static

import (
	"io"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strconv"

	"github.com/nextrush/nextrush"
)

// representation is the file that is sent for a name: the file itself, or a compressed
// one beside it. Each has its own ETag (RFC 9110 §8.8.3.3).
type representation struct {
	name     string
	info     fs.FileInfo
	encoding string // empty: not compressed
}

func (p *Plugin) representation(c *nextrush.Context, name string, info fs.FileInfo) representation {
	plain := representation{name: name, info: info}
	if !p.opts.Precompressed {
		return plain
	}
	var there []string
	found := map[string]representation{}
	for _, coding := range [][2]string{{"zstd", ".zst"}, {"gzip", ".gz"}} {
		beside, err := fs.Stat(p.fsys, name+coding[1])
		if err == nil && beside.Mode().IsRegular() && !beside.ModTime().Before(info.ModTime()) {
			there = append(there, coding[0])
			found[coding[0]] = representation{name + coding[1], beside, coding[0]}
		}
	}
	if there == nil {
		return plain
	}
	c.Vary("Accept-Encoding")
	if r, ok := found[c.AcceptsEncoding(there...)]; ok {
		return r
	}
	return plain
}

// mark sets the headers of compressed content that net/http cannot know, with the type of
// the original file, and a writer that adds the length, which undo removes.
func (r representation) mark(c *nextrush.Context, name string) (undo func()) {
	if r.encoding == "" {
		return func() {}
	}
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	c.SetHeader("Content-Type", contentType).SetHeader("Content-Encoding", r.encoding)
	before := c.Writer()
	c.SetWriter(encodedWriter{before, r.info.Size()})
	return func() { c.SetWriter(before) }
}

// encodedWriter adds the length of encoded content that is sent in full, which
// http.ServeContent leaves out.
type encodedWriter struct {
	http.ResponseWriter
	size int64
}

// Unwrap lets http.ResponseController find the writer's other methods.
func (w encodedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w encodedWriter) WriteHeader(code int) {
	if code == http.StatusOK {
		w.Header().Set("Content-Length", strconv.FormatInt(w.size, 10))
	}
	w.ResponseWriter.WriteHeader(code)
}

// ReadFrom lets the writer below use sendfile.
func (w encodedWriter) ReadFrom(src io.Reader) (int64, error) { return io.Copy(w.ResponseWriter, src) }
