package nextrush

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
)

// anyMethods are the methods of Any and Mount.
var anyMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// Group registers routes under a prefix, behind handlers of its own.
type Group struct {
	app      *App
	parent   *Group
	prefix   string
	handlers []Handler
}

// Route is a registered route.
type Route struct {
	Method  string
	Pattern string

	name     string
	group    *Group
	handlers []Handler
	segments []segment
	params   []string
	kinds    []kind // of params
	where    string // file:line of its registration
	socket   bool
	chain    []Handler // with those of its groups; made by the table
}

// RouteInfo describes a route; see App.Routes.
type RouteInfo struct {
	Method    string
	Path      string
	Name      string
	WebSocket bool
	Source    string // file:line of its registration
}

// Use adds middleware that runs before the handlers of all routes of the
// group. On the App it runs for 404, 405, OPTIONS and redirects too. Order is
// that of the calls; groups run from the outside in.
func (g *Group) Use(handlers ...Handler) {
	checkHandlers("Use", handlers)
	g.app.mu.Lock()
	defer g.app.mu.Unlock()
	g.handlers = append(g.handlers, handlers...)
	g.app.table.Store(nil)
}

// Group makes a group under a prefix.
func (g *Group) Group(prefix string, handlers ...Handler) *Group {
	if prefix != "" && (!strings.HasPrefix(prefix, "/") || strings.Contains(prefix, "*")) {
		panic(fmt.Sprintf("nextrush: Group(%q): a prefix begins with a slash and has no catch-all, as in %q", prefix, "/api"))
	}
	checkHandlers("Group", handlers)
	return &Group{app: g.app, parent: g, prefix: g.prefix + strings.TrimSuffix(prefix, "/"), handlers: handlers}
}

// With makes a group without a prefix: app.With(auth).Get(...).
func (g *Group) With(handlers ...Handler) *Group { return g.Group("", handlers...) }

// Get registers handlers for GET, and for HEAD where nothing else does.
func (g *Group) Get(path string, h ...Handler) *Route { return g.add(http.MethodGet, path, h) }

// Post registers handlers for POST.
func (g *Group) Post(path string, h ...Handler) *Route { return g.add(http.MethodPost, path, h) }

// Put registers handlers for PUT.
func (g *Group) Put(path string, h ...Handler) *Route { return g.add(http.MethodPut, path, h) }

// Patch registers handlers for PATCH.
func (g *Group) Patch(path string, h ...Handler) *Route { return g.add(http.MethodPatch, path, h) }

// Delete registers handlers for DELETE.
func (g *Group) Delete(path string, h ...Handler) *Route { return g.add(http.MethodDelete, path, h) }

// Head registers handlers for HEAD.
func (g *Group) Head(path string, h ...Handler) *Route { return g.add(http.MethodHead, path, h) }

// Options registers handlers for OPTIONS, in place of the automatic answer.
func (g *Group) Options(path string, h ...Handler) *Route { return g.add(http.MethodOptions, path, h) }

// Connect registers handlers for CONNECT.
func (g *Group) Connect(path string, h ...Handler) *Route { return g.add(http.MethodConnect, path, h) }

// Trace registers handlers for TRACE.
func (g *Group) Trace(path string, h ...Handler) *Route { return g.add(http.MethodTrace, path, h) }

// Handle registers handlers for any method, such as "PROPFIND".
func (g *Group) Handle(method, path string, h ...Handler) *Route {
	if method == "" || strings.ToUpper(method) != method {
		panic(fmt.Sprintf("nextrush: Handle(%q, %q): a method is upper case, as in %q", method, path, "PROPFIND"))
	}
	return g.add(method, path, h)
}

// Any registers handlers for the nine methods of net/http.
func (g *Group) Any(path string, h ...Handler) {
	for _, m := range anyMethods {
		g.add(m, path, h)
	}
}

// PathRoute registers several methods of one path.
type PathRoute struct {
	group *Group
	path  string
}

// Route begins the registration of several methods of one path:
// app.Route("/books").Get(list).Post(create).
func (g *Group) Route(path string) *PathRoute { return &PathRoute{g, path} }

// Get is Group.Get on the path; it returns the receiver, as do the others.
func (p *PathRoute) Get(h ...Handler) *PathRoute { return p.on(http.MethodGet, h) }

// Post is Group.Post on the path.
func (p *PathRoute) Post(h ...Handler) *PathRoute { return p.on(http.MethodPost, h) }

// Put is Group.Put on the path.
func (p *PathRoute) Put(h ...Handler) *PathRoute { return p.on(http.MethodPut, h) }

// Patch is Group.Patch on the path.
func (p *PathRoute) Patch(h ...Handler) *PathRoute { return p.on(http.MethodPatch, h) }

// Delete is Group.Delete on the path.
func (p *PathRoute) Delete(h ...Handler) *PathRoute { return p.on(http.MethodDelete, h) }

// Head is Group.Head on the path.
func (p *PathRoute) Head(h ...Handler) *PathRoute { return p.on(http.MethodHead, h) }

// Options is Group.Options on the path.
func (p *PathRoute) Options(h ...Handler) *PathRoute { return p.on(http.MethodOptions, h) }

func (p *PathRoute) on(method string, h []Handler) *PathRoute {
	p.group.add(method, p.path, h)
	return p
}

// Mount hands everything under a prefix to another App or http.Handler, which
// sees the path without the prefix. A mounted App starts and stops with this one.
func (g *Group) Mount(prefix string, h http.Handler) {
	if h == nil || !strings.HasPrefix(prefix, "/") {
		panic(fmt.Sprintf("nextrush: Mount(%q): give a prefix with a leading slash and a handler", prefix))
	}
	sub := g.Group(prefix)
	if app, ok := h.(*App); ok {
		g.app.mu.Lock()
		g.app.mounted = append(g.app.mounted, app)
		g.app.mu.Unlock()
	}
	inner := WrapHandler(http.StripPrefix(sub.prefix, rooted(h)))
	if prefix != "/" {
		sub.Any("", inner)
	}
	sub.Any("/*path", inner)
}

// rooted makes the empty path that StripPrefix leaves the root.
func rooted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "" {
			r.URL.Path = "/"
		}
		h.ServeHTTP(w, r)
	})
}

// WrapHandler makes a Handler of an http.Handler.
func WrapHandler(h http.Handler) Handler {
	return func(c *Context) error {
		h.ServeHTTP(c.Writer(), c.Request())
		return nil
	}
}

// WrapMiddleware makes a Handler of net/http middleware. What it passes on to
// the next handler replaces the request and the writer of the Context.
func WrapMiddleware(mw func(http.Handler) http.Handler) Handler {
	return func(c *Context) error {
		var err error
		next := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			req, writer := c.req, c.w
			c.req, c.w = r, w
			err = c.Next()
			c.req, c.w = req, writer
		})
		mw(next).ServeHTTP(c.Writer(), c.Request())
		return err
	}
}

func checkHandlers(what string, handlers []Handler) {
	for i, h := range handlers {
		if h == nil {
			panic(fmt.Sprintf("nextrush: %s: handler %d is nil", what, i+1))
		}
	}
}

// add registers a route; what is wrong with it is a panic that says so.
func (g *Group) add(method, pattern string, handlers []Handler) *Route {
	if len(handlers) == 0 {
		panic(fmt.Sprintf("nextrush: %s %s has no handler; give at least one", method, pattern))
	}
	checkHandlers(method+" "+pattern, handlers)
	if pattern != "" && pattern[0] != '/' || pattern == "" && g.prefix == "" {
		panic(fmt.Sprintf("nextrush: %s %q: a path begins with a slash", method, pattern))
	}
	r := &Route{Method: method, Pattern: g.prefix + pattern, group: g, handlers: handlers, where: caller()}
	r.segments, r.params = parsePattern(r.Pattern)
	for _, s := range r.segments {
		if s.kind != static {
			r.kinds = append(r.kinds, s.kind)
		}
	}
	a := g.app
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, other := range a.routes {
		if other.Method == method && samePaths(other, r) {
			panic(fmt.Sprintf("nextrush: %s %s (%s) matches the same paths as %s (%s); remove one",
				method, r.Pattern, r.where, other.Pattern, other.where))
		}
	}
	a.routes = append(a.routes, r)
	a.table.Store(nil)
	return r
}

// caller is the place outside this package that registers.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "github.com/nextrush/nextrush.") || strings.HasSuffix(f.File, "_test.go") || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}

// Name gives the route a name for App.URL. It panics if another has it.
func (r *Route) Name(name string) *Route {
	a := r.group.app
	a.mu.Lock()
	defer a.mu.Unlock()
	if other := a.named[name]; other != nil {
		panic(fmt.Sprintf("nextrush: route name %q is taken by %s (%s)", name, other.Pattern, other.where))
	}
	r.name = name
	a.named[name] = r
	return r
}

// URL is the path of a named route with its parameters, in order, escaped.
func (a *App) URL(name string, params ...any) (string, error) {
	a.mu.Lock()
	r := a.named[name]
	a.mu.Unlock()
	if r == nil {
		return "", fmt.Errorf("nextrush: URL: no route is named %q", name)
	}
	if len(params) != len(r.params) {
		return "", fmt.Errorf("nextrush: URL: %s takes %d parameters, not %d", r.Pattern, len(r.params), len(params))
	}
	var b strings.Builder
	for _, s := range r.segments {
		b.WriteByte('/')
		b.WriteString(s.text)
		if s.kind == static {
			continue
		}
		value := fmt.Sprint(params[0])
		params = params[1:]
		if s.kind == catchAll {
			b.WriteString((&url.URL{Path: strings.TrimPrefix(value, "/")}).EscapedPath())
			continue
		}
		if value == "" {
			return "", fmt.Errorf("nextrush: URL: a parameter of %s is empty", r.Pattern)
		}
		b.WriteString(url.PathEscape(value))
	}
	return b.String(), nil
}

// Routes lists the routes by path and method.
func (a *App) Routes() []RouteInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := make([]RouteInfo, len(a.routes))
	for i, r := range a.routes {
		list[i] = RouteInfo{Method: r.Method, Path: r.Pattern, Name: r.name, WebSocket: r.socket, Source: r.where}
	}
	slices.SortStableFunc(list, func(x, y RouteInfo) int {
		if d := strings.Compare(x.Path, y.Path); d != 0 {
			return d
		}
		return strings.Compare(x.Method, y.Method)
	})
	return list
}

// cleanPath resolves dots and repeated slashes; a trailing slash stays.
func cleanPath(p string) string {
	if p == "" || p[0] != '/' {
		p = "/" + p
	}
	clean := path.Clean(p)
	if len(clean) > 1 && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.")) {
		clean += "/"
	}
	return clean
}
