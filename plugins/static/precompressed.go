package static

import (
	"io/fs"
	"mime"
	"path"
	"strconv"

	"github.com/nextrush/nextrush"
)

// representation is the file that is sent for a name: itself, or a compressed one
// beside it. Each has an ETag of its own (RFC 9110 §8.8.3.3).
type representation struct {
	name     string
	info     fs.FileInfo
	encoding string // empty: as it is
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

// mark sets what net/http can not know of compressed content: its type is that of
// the file that it stands for, and it is sent in its full length.
func (r representation) mark(c *nextrush.Context, name string) {
	if r.encoding == "" {
		return
	}
	contentType := mime.TypeByExtension(path.Ext(name))
	if contentType == "" {
		contentType = "application/octet-stream"
	}
	c.SetHeader("Content-Type", contentType)
	c.SetHeader("Content-Encoding", r.encoding).SetHeader("Content-Length", strconv.FormatInt(r.info.Size(), 10))
}
