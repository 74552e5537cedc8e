// Package profiler serves net/http/pprof, after a handler that decides who may
// see it.
//
//	app.Register(profiler.New(profiler.Options{Auth: auth.RequireRole("admin")}))
//
//	curl -H "Authorization: Bearer …" -o heap https://a.example/debug/pprof/heap
//	go tool pprof -http=: heap
//
// The plugin imports net/http/pprof, which also registers itself, without any
// authentication, with http.DefaultServeMux: do not serve that in the same program.
package profiler

import (
	"errors"
	"net/http"
	"net/http/pprof"
	"strings"

	"github.com/nextrush/nextrush"
)

// Options configures a Plugin. Auth must be set.
type Options struct {
	// Auth runs before every page, and calls Context.Next to let somebody see it.
	// Profiles show memory, the command line and source paths, and take time, so there
	// is no default.
	Auth   nextrush.Handler
	Prefix string // of the pages; empty: "/debug/pprof"
}

// Plugin serves the profiles of the process: those of runtime/pprof, cmdline, profile,
// symbol and trace, and an index of them.
type Plugin struct{ opts Options }

// New makes the plugin. Its Install fails if Auth is missing.
func New(opts Options) *Plugin { return &Plugin{opts} }

// Name is "profiler".
func (p *Plugin) Name() string { return "profiler" }

// Install registers the routes.
func (p *Plugin) Install(app *nextrush.App) error {
	if p.opts.Auth == nil {
		return errors.New("profiles must not be public: set Options.Auth to a handler that refuses strangers")
	}
	prefix := "/" + strings.Trim(p.opts.Prefix, "/")
	if prefix == "/" {
		prefix = "/debug/pprof"
	}
	pages := app.Group(prefix, p.opts.Auth, private)
	app.With(p.opts.Auth, private).Get(prefix+"/", nextrush.WrapHandler(http.HandlerFunc(index)))
	pages.Get("/cmdline", nextrush.WrapHandler(http.HandlerFunc(pprof.Cmdline)))
	pages.Get("/profile", nextrush.WrapHandler(http.HandlerFunc(pprof.Profile)))
	pages.Get("/trace", nextrush.WrapHandler(http.HandlerFunc(pprof.Trace)))
	pages.Route("/symbol").
		Get(nextrush.WrapHandler(http.HandlerFunc(pprof.Symbol))).
		Post(nextrush.WrapHandler(http.HandlerFunc(pprof.Symbol)))
	pages.Get("/:name", func(c *nextrush.Context) error {
		pprof.Handler(c.Param("name")).ServeHTTP(c.Writer(), c.Request())
		return nil
	})
	return nil
}

// private keeps profiles out of caches.
func private(c *nextrush.Context) error {
	c.NoCache()
	return c.Next()
}

// index lists the profiles. Its links are relative; the path it expects is the
// one that net/http/pprof registers.
func index(w http.ResponseWriter, r *http.Request) {
	r = r.Clone(r.Context())
	r.URL.Path = "/debug/pprof/"
	pprof.Index(w, r)
}
