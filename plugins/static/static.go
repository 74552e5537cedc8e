// Package static serves the files of a directory, or of an fs.FS such as an
// embed.FS, under a prefix.
//
//	app.Register(static.New("/assets", "public"))
//
// There are no listings. Names that begin with a dot, and links that lead out of the
// directory, are 404.
package static

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	// SPA answers with the root's index if there is no such file, the client accepts
	// text/html by name, and the last segment of the path has no extension.
	SPA          bool
	CacheControl string // of files; empty: "no-cache", so that clients check with the ETag
	Index        string // of directories; empty: "index.html"

	// Precompressed sends name.zst or name.gz instead of name to clients that accept
	// it, if that file exists and is not older.
	Precompressed bool

	// Immutable reports files that never change because their names contain a hash of
	// the content: clients keep them for a year and do not ask again (RFC 8246). The name
	// is without the prefix. nil: none.
	Immutable func(name string) bool
	// Guard runs before each file, and calls c.Next for those that the client may have,
	// as auth.Require does. Shared caches do not keep files with a Guard, unless
	// CacheControl says otherwise; nil: everybody may.
	Guard nextrush.Handler
}

// Plugin serves files for GET and HEAD, with ranges and conditional requests
// (RFC 9110 §13, §14). Routes of the App that are more specific come first.
type Plugin struct {
	prefix string
	dir    string
	root   *os.Root
	fsys   fs.FS
	opts   Options
	tags   tags
}

// New serves a directory. Registering the plugin fails if the directory cannot be opened.
func New(prefix, dir string, opts ...Options) *Plugin {
	p := FS(prefix, nil, opts...)
	p.dir = dir
	return p
}

// FS serves a file system. A file is hashed again only if its modification time or size
// has changed. FS follows the links that the file system follows: for a directory use New,
// as os.DirFS follows all links.
func FS(prefix string, fsys fs.FS, opts ...Options) *Plugin {
	p := &Plugin{prefix: "/" + strings.Trim(prefix, "/"), fsys: fsys, opts: opt.First(opts)}
	if p.opts.Index == "" {
		p.opts.Index = "index.html"
	}
	if p.opts.CacheControl == "" {
		p.opts.CacheControl = "no-cache"
		if p.opts.Guard != nil {
			p.opts.CacheControl = "private, no-cache"
		}
	}
	return p
}

// Name is "static" and the prefix, so that several can be registered.
func (p *Plugin) Name() string { return "static " + p.prefix }

// Install opens the directory and registers the routes.
func (p *Plugin) Install(app *nextrush.App) error {
	if p.fsys == nil {
		root, err := os.OpenRoot(p.dir)
		if err != nil {
			return err
		}
		p.root, p.fsys = root, root.FS()
	}
	handlers := []nextrush.Handler{p.serve}
	if p.opts.Guard != nil {
		handlers = []nextrush.Handler{p.opts.Guard, p.serve}
	}
	app.Get(strings.TrimSuffix(p.prefix, "/")+"/*path", handlers...)
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
	param := c.Param("path")
	name := strings.TrimSuffix(param, "/")
	if !visible(name) || strings.Contains(strings.ToLower(c.Request().URL.RawPath), "%2f") {
		return nextrush.NewError(http.StatusNotFound)
	}
	if name == "" {
		name = "."
	}
	info, err := fs.Stat(p.fsys, name)
	switch {
	case err != nil:
		return p.fallback(c, name, err)
	case !info.IsDir() && name != param:
		return nextrush.NewError(http.StatusNotFound)
	case !info.IsDir():
		return p.file(c, name)
	case name != "." && name == param:
		return p.addSlash(c, name)
	}
	if err := p.file(c, path.Join(name, p.opts.Index)); err != nil {
		return p.fallback(c, name, err)
	}
	return nil
}

// visible reports whether a client may ask for a name: it has no hidden or empty
// segments, and no character with a special meaning on some system.
func visible(name string) bool {
	if name == "" {
		return true
	}
	if strings.ContainsAny(name, "\\\x00") || runtime.GOOS == "windows" && strings.Contains(name, ":") || !fs.ValidPath(name) {
		return false
	}
	for segment := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(segment, ".") {
			return false
		}
	}
	return true
}

// addSlash redirects the client from a directory's name to the name with a slash, so that
// relative links of the index work. The location is relative, so that it stays on the host.
func (p *Plugin) addSlash(c *nextrush.Context, name string) error {
	if _, err := fs.Stat(p.fsys, path.Join(name, p.opts.Index)); err != nil {
		return p.fallback(c, name, err)
	}
	to := "./" + url.PathEscape(path.Base(name)) + "/"
	if query := c.Request().URL.RawQuery; query != "" {
		to += "?" + query
	}
	return c.Redirect(to, http.StatusMovedPermanently)
}

// fallback answers if there is no such file.
func (p *Plugin) fallback(c *nextrush.Context, name string, cause error) error {
	wantsHTML := strings.Contains(strings.ToLower(strings.Join(c.Request().Header["Accept"], ",")), "text/html")
	if p.opts.SPA && wantsHTML && (name == "." || path.Ext(name) == "") {
		c.Vary("Accept")
		return p.file(c, p.opts.Index)
	}
	return nextrush.NewError(http.StatusNotFound).WithCause(cause)
}

// file answers with a regular file. It checks that before it opens the file, as opening a
// pipe would wait for the other end.
func (p *Plugin) file(c *nextrush.Context, name string) error {
	info, err := fs.Stat(p.fsys, name)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("static: not a regular file")
	}
	if err != nil {
		return nextrush.NewError(http.StatusNotFound).WithCause(err)
	}
	from := p.representation(c, name, info)
	content, err := p.content(c, from)
	if err != nil {
		return err
	}
	defer content.Close()
	tag, err := p.tags.of(c.Context(), from.name, from.info, content)
	if err != nil {
		return err
	}
	defer from.mark(c, name)()
	c.SetHeader("ETag", tag).SetHeader("Cache-Control", p.caching(name)).SetHeader("X-Content-Type-Options", "nosniff")
	return c.ServeContent(name, info.ModTime(), content)
}

func (p *Plugin) caching(name string) string {
	if p.opts.Immutable != nil && p.opts.Immutable(name) {
		if p.opts.Guard != nil {
			return "private, max-age=31536000, immutable"
		}
		return "public, max-age=31536000, immutable"
	}
	return p.opts.CacheControl
}
