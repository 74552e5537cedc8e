// Package static serves files from a directory or an fs.FS.
//
//	app.Register(static.New("/assets", "./public"))
//	app.Register(static.FS("/", dist, static.Options{SPA: true}))
package static

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
)

const index = "index.html"

// Options configures the plugin. The zero value serves files and the
// index.html of directories.
type Options struct {
	// SPA answers a GET or HEAD of a page that is no file with the index.html
	// of the root: a path whose last segment has no dot, asked for by a client
	// that accepts text/html. A missing asset stays a 404.
	SPA          bool
	CacheControl string // the header of that name; empty: none
}

// Plugin serves the files below one prefix. It never lists a directory, never
// serves a name that begins with a dot, and never leaves its root: symbolic
// links that point outside are not followed (os.Root).
type Plugin struct {
	prefix string
	dir    string
	opts   Options

	fsys fs.FS
	root *os.Root

	mu   sync.Mutex // guards tags
	tags map[string]tag
}

// tag is the ETag of a file as it was at a size and time.
type tag struct {
	size     int64
	modified time.Time
	etag     string
}

// New serves a directory under a prefix.
func New(prefix, dir string, opts ...Options) *Plugin {
	p := FS(prefix, nil, opts...)
	p.dir = dir
	return p
}

// FS serves a file system, such as an embed.FS, under a prefix.
func FS(prefix string, fsys fs.FS, opts ...Options) *Plugin {
	p := &Plugin{prefix: strings.TrimSuffix(prefix, "/"), fsys: fsys, tags: make(map[string]tag)}
	if len(opts) > 0 {
		p.opts = opts[0]
	}
	return p
}

// Name is "static" and the prefix, so that several can be registered.
func (p *Plugin) Name() string { return "static " + p.prefix + "/" }

// Install opens the directory and registers the routes. A directory that is
// not there is an error.
func (p *Plugin) Install(app *nextrush.App) error {
	if p.fsys == nil {
		root, err := os.OpenRoot(p.dir)
		if err != nil {
			return fmt.Errorf("static: %w", err)
		}
		p.root, p.fsys = root, root.FS()
	}
	app.Get(p.prefix+"/*path", p.serve)
	if p.prefix != "" {
		app.Get(p.prefix, p.serve)
	}
	return nil
}

// Stop closes the directory.
func (p *Plugin) Stop(context.Context) error {
	if p.root == nil {
		return nil
	}
	return p.root.Close()
}

func (p *Plugin) serve(c *nextrush.Context) error {
	name, ok := fileName(c.Param("path"))
	if ok {
		err := p.file(c, name)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if ok && p.opts.SPA && isPage(c, name) {
		return p.file(c, index)
	}
	return nextrush.NewError(http.StatusNotFound)
}

// fileName turns the rest of a path into a name for fs.FS. What a file server
// of another system could take for a way out, or for a hidden file, is none.
func fileName(rest string) (name string, ok bool) {
	if strings.ContainsAny(rest, "\\:\x00") {
		return "", false
	}
	for part := range strings.SplitSeq(rest, "/") {
		if strings.HasPrefix(part, ".") {
			return "", false
		}
	}
	name = strings.Trim(path.Clean("/"+rest), "/")
	if name == "" {
		name = "."
	}
	return name, fs.ValidPath(name)
}

func isPage(c *nextrush.Context, name string) bool {
	return !strings.Contains(path.Base(name), ".") && strings.Contains(c.Header("Accept"), "text/html")
}

// file answers with a file, or with the index.html of a directory.
func (p *Plugin) file(c *nextrush.Context, name string) error {
	f, err := p.fsys.Open(name)
	if err != nil {
		return missing(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return missing(err)
	}
	if info.IsDir() {
		if name != "." && !strings.HasSuffix(c.Path(), "/") {
			return missing(fs.ErrNotExist) // relative links of the page would miss
		}
		return p.file(c, path.Join(name, index))
	}
	if !info.Mode().IsRegular() {
		return missing(fs.ErrNotExist)
	}
	content, err := seekable(f)
	if err != nil {
		return err
	}
	etag, err := p.etag(name, info, content)
	if err != nil {
		return err
	}
	c.SetHeader("ETag", etag).SetHeader("X-Content-Type-Options", "nosniff")
	if p.opts.CacheControl != "" {
		c.SetHeader("Cache-Control", p.opts.CacheControl)
	}
	http.ServeContent(c.Writer(), c.Request(), info.Name(), info.ModTime(), content)
	return nil
}

// missing makes one error of all that a client shall see as 404: what is not
// there, what is outside, what may not be read.
func missing(err error) error {
	return fmt.Errorf("static: %w: %w", fs.ErrNotExist, err)
}

// seekable reads a file into memory where its file system can not seek.
func seekable(f fs.File) (io.ReadSeeker, error) {
	if s, ok := f.(io.ReadSeeker); ok {
		return s, nil
	}
	data, err := io.ReadAll(f)
	return strings.NewReader(string(data)), err
}

// etag is strong (RFC 9110 §8.8.3): a hash of the content, computed again when
// size or time have changed.
func (p *Plugin) etag(name string, info fs.FileInfo, content io.ReadSeeker) (string, error) {
	p.mu.Lock()
	t, ok := p.tags[name]
	p.mu.Unlock()
	if ok && t.size == info.Size() && t.modified.Equal(info.ModTime()) {
		return t.etag, nil
	}
	hash := sha256.New()
	if _, err := io.Copy(hash, content); err != nil {
		return "", fmt.Errorf("static: %w", err)
	}
	if _, err := content.Seek(0, io.SeekStart); err != nil {
		return "", fmt.Errorf("static: %w", err)
	}
	t = tag{info.Size(), info.ModTime(), `"` + base64.RawURLEncoding.EncodeToString(hash.Sum(nil)[:16]) + `"`}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tags[name] = t
	return t.etag, nil
}
