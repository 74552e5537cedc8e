// Package openapi serves an OpenAPI 3.1 document of the App's routes, and a page
// to read it.
//
//	app.Register(openapi.New(openapi.Options{Title: "Books"}))
//
// The types of routes made with nextrush.Handle describe them, and nextrush.Describe
// adds words. WebSocket routes are not part of the document. A route on a host says so in
// servers; if another route has the same method and path, it stands under the path with
// "#" and its host, since OpenAPI has one operation for both.
package openapi

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"html/template"
	"slices"
	"strings"
	"sync"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apipage"
	"github.com/nextrush/nextrush/internal/opt"
)

// Options configures a Plugin. The zero value is complete.
type Options struct {
	Title       string             // empty: "API"
	Version     string             // of the API; empty: "0.0.0"
	Description string             // Markdown; empty: none
	Servers     []string           // URLs that the paths are relative to; nil: the document's own server
	Path        string             // of the document; empty: "/openapi.json"
	Page        string             // path of the page; empty: "/docs"
	DisablePage bool               // serve the document only
	Guard       []nextrush.Handler // run before both; nil: anybody may read

	// TypedOnly leaves out routes whose handlers do not say what they do.
	TypedOnly bool
}

// Plugin serves the document. Its methods are safe from any goroutine.
type Plugin struct {
	opts Options
	app  *nextrush.App

	once func() ([]byte, error) // JSON, made for the first request
}

// New makes the plugin.
func New(opts ...Options) *Plugin {
	p := &Plugin{opts: opt.First(opts)}
	set := func(s *string, fallback string) {
		if *s == "" {
			*s = fallback
		}
	}
	set(&p.opts.Title, "API")
	set(&p.opts.Version, "0.0.0")
	set(&p.opts.Path, "/openapi.json")
	set(&p.opts.Page, "/docs")
	return p
}

// Name is "openapi".
func (p *Plugin) Name() string { return "openapi" }

// Install registers the routes of the document, the page, and the page's script and
// style.
func (p *Plugin) Install(app *nextrush.App) error {
	p.opts.Page = strings.TrimRight(p.opts.Page, "/")
	if !strings.HasPrefix(p.opts.Path, "/") || !p.opts.DisablePage && !strings.HasPrefix(p.opts.Page, "/") {
		return errors.New("the options Path and Page must begin with a slash, and Page must not be the root")
	}
	p.app, p.once = app, sync.OnceValues(p.JSON)
	g := app.With(p.opts.Guard...)
	g.Get(p.opts.Path, p.serveDocument)
	if p.opts.DisablePage {
		return nil
	}
	g.Get(p.opts.Page, p.servePage)
	g.Get(p.opts.Page+"/page.js", asset("text/javascript; charset=utf-8", apipage.Script(script)))
	g.Get(p.opts.Page+"/page.css", asset("text/css; charset=utf-8", apipage.Style))
	return nil
}

// JSON returns the document of the routes that the App has now. The same routes give
// the same bytes.
func (p *Plugin) JSON() ([]byte, error) {
	if p.app == nil {
		return nil, errors.New("openapi: the plugin is not registered: call App.Register first")
	}
	return json.Marshal(p.document(p.app.Routes()))
}

func (p *Plugin) serveDocument(c *nextrush.Context) error {
	body, err := p.once()
	if err != nil {
		return err
	}
	return c.SetHeader("Cache-Control", "no-cache").Blob("application/json", body)
}

// own reports whether a path is one of the plugin's.
func (p *Plugin) own(path string) bool {
	return path == p.opts.Path || !p.opts.DisablePage && (path == p.opts.Page || strings.HasPrefix(path, p.opts.Page+"/page."))
}

// methods are the methods that OpenAPI has.
var methods = []string{"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"}

func (p *Plugin) document(routes []nextrush.RouteInfo) object {
	info := object{"title": p.opts.Title, "version": p.opts.Version}
	set(info, "description", p.opts.Description)
	s, paths := newSchemas(), object{}
	anyHostFirst := func(a, b nextrush.RouteInfo) int { return min(len(a.Host), 1) - min(len(b.Host), 1) }
	slices.SortStableFunc(routes, anyHostFirst)
	for _, rt := range routes {
		if !slices.Contains(methods, rt.Method) || rt.WebSocket || p.own(rt.Path) || p.opts.TypedOnly && rt.Operation == nil {
			continue
		}
		path, names := template31(rt.Path)
		method := strings.ToLower(rt.Method)
		if _, taken := itemOf(paths, path)[method]; taken {
			path += "#" + rt.Host // a fragment, which is not sent: OpenAPI has one operation for a path
		}
		itemOf(paths, path)[method] = operation(s, rt, names)
	}
	doc := object{"openapi": "3.1.0", "info": info, "paths": paths, "components": object{"schemas": s.Components()}}
	if len(p.opts.Servers) > 0 {
		doc["servers"] = servers(p.opts.Servers)
	}
	return doc
}

// itemOf returns the operations of a path.
func itemOf(paths object, path string) object {
	item, ok := paths[path].(object)
	if !ok {
		item = object{}
		paths[path] = item
	}
	return item
}

func servers(urls []string) (list []object) {
	for _, url := range urls {
		list = append(list, object{"url": url})
	}
	return list
}

//go:embed page/page.html
var files embed.FS

//go:embed page/page.js
var script []byte

var page = template.Must(template.ParseFS(files, "page/page.html"))

func (p *Plugin) servePage(c *nextrush.Context) error {
	var b bytes.Buffer
	if err := page.Execute(&b, p.opts); err != nil {
		return err
	}
	if h := c.Writer().Header(); h.Get("Content-Security-Policy") == "" {
		h.Set("Content-Security-Policy", apipage.Policy)
	}
	return c.HTML(b.String())
}

func asset(contentType string, body []byte) nextrush.Handler {
	return func(c *nextrush.Context) error {
		return c.SetHeader("Cache-Control", "no-cache").Blob(contentType, body)
	}
}
