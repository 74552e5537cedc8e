package nextrush

import (
	"fmt"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
)

// anyMethods are those that Any and Mount answer.
var anyMethods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// routes registers routes under a prefix, behind middleware. App and Group are
// made of it.
type routes struct {
	app      *App
	parent   *routes
	prefix   string
	handlers []Handler
}

// Group is a set of routes with a common prefix and middleware.
type Group struct{ routes }

// Use adds middleware. On an App it runs for every request, with or without a
// route; on a Group, for the group's routes. Whether a route was registered
// before or after makes no difference.
func (g *routes) Use(middleware ...Handler) {
	mustHandlers("Use", middleware)
	g.handlers = append(g.handlers, middleware...)
	g.app.changed()
}

// Group makes a group of routes under a prefix, behind the handlers.
func (g *routes) Group(prefix string, handlers ...Handler) *Group {
	mustHandlers("Group "+prefix, handlers)
	if prefix != "" && prefix[0] != '/' {
		panic(fmt.Sprintf("nextrush: group prefix %q must begin with a slash", prefix))
	}
	prefix = strings.TrimRight(prefix, "/")
	return &Group{routes{app: g.app, parent: g, prefix: g.prefix + prefix, handlers: slices.Clone(handlers)}}
}

// With makes a group without a prefix: what is registered on it runs behind the
// handlers.
func (g *routes) With(handlers ...Handler) *Group { return g.Group("", handlers...) }

// Get registers a route for GET, and for HEAD where no other takes that.
func (g *routes) Get(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodGet, path, handlers...)
}

// Post registers a route for POST.
func (g *routes) Post(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodPost, path, handlers...)
}

// Put registers a route for PUT.
func (g *routes) Put(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodPut, path, handlers...)
}

// Patch registers a route for PATCH.
func (g *routes) Patch(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodPatch, path, handlers...)
}

// Delete registers a route for DELETE.
func (g *routes) Delete(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodDelete, path, handlers...)
}

// Head registers a route for HEAD.
func (g *routes) Head(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodHead, path, handlers...)
}

// Options registers a route for OPTIONS, in place of the automatic answer.
func (g *routes) Options(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodOptions, path, handlers...)
}

// Connect registers a route for CONNECT.
func (g *routes) Connect(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodConnect, path, handlers...)
}

// Trace registers a route for TRACE.
func (g *routes) Trace(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodTrace, path, handlers...)
}

// Any registers a route for all methods of RFC 9110 and PATCH. A route that is
// registered for one of them on the same path goes before it.
func (g *routes) Any(path string, handlers ...Handler) *Route {
	return g.add("", path, handlers)
}

// Handle registers a route. A path is made of segments: "users" matches itself,
// ":id" any segment that is not empty, "v:major" one that begins with v, and
// "*rest" at the end all that follows. Of the routes that match a request,
// the first segment in which they differ decides: static before parameter before
// catch-all. Two routes for the same paths panic.
func (g *routes) Handle(method, path string, handlers ...Handler) *Route {
	if method == "" || strings.ContainsAny(method, " \t\r\n") {
		panic(fmt.Sprintf("nextrush: %q is not an HTTP method", method))
	}
	return g.add(method, path, handlers)
}

// Route gives the handlers of several methods for one path.
func (g *routes) Route(path string) *Path { return &Path{g, path} }

func (g *routes) add(method, path string, handlers []Handler) *Route {
	what := strings.TrimSpace(method + " " + path)
	mustHandlers(what, handlers)
	if len(handlers) == 0 {
		panic("nextrush: route " + what + " has no handler: give at least one")
	}
	rt := &Route{group: g, method: method, handlers: slices.Clone(handlers), source: caller()}
	rt.setPattern(g.join(path))
	g.app.insert(rt)
	return rt
}

// join puts the prefix before a path; the root of a group is the prefix itself.
func (g *routes) join(path string) string {
	switch {
	case path != "" && path[0] != '/':
		panic(fmt.Sprintf("nextrush: path %q must begin with a slash", path))
	case g.prefix == "" && path == "":
		return "/"
	case g.prefix != "" && path == "/":
		return g.prefix
	}
	return g.prefix + path
}

// chain is the middleware from the app's down to this group's.
func (g *routes) chain() []Handler {
	if g.parent == nil {
		return slices.Clone(g.handlers)
	}
	return append(g.parent.chain(), g.handlers...)
}

func mustHandlers(what string, handlers []Handler) {
	if slices.ContainsFunc(handlers, func(h Handler) bool { return h == nil }) {
		panic("nextrush: " + what + ": a handler is nil: give a function")
	}
}

// Path registers the methods of one path.
type Path struct {
	g    *routes
	path string
}

// Get registers the path for GET.
func (p *Path) Get(h ...Handler) *Path { return p.Handle(http.MethodGet, h...) }

// Post registers the path for POST.
func (p *Path) Post(h ...Handler) *Path { return p.Handle(http.MethodPost, h...) }

// Put registers the path for PUT.
func (p *Path) Put(h ...Handler) *Path { return p.Handle(http.MethodPut, h...) }

// Patch registers the path for PATCH.
func (p *Path) Patch(h ...Handler) *Path { return p.Handle(http.MethodPatch, h...) }

// Delete registers the path for DELETE.
func (p *Path) Delete(h ...Handler) *Path { return p.Handle(http.MethodDelete, h...) }

// Head registers the path for HEAD.
func (p *Path) Head(h ...Handler) *Path { return p.Handle(http.MethodHead, h...) }

// Options registers the path for OPTIONS.
func (p *Path) Options(h ...Handler) *Path { return p.Handle(http.MethodOptions, h...) }

// Any registers the path for all methods.
func (p *Path) Any(h ...Handler) *Path {
	p.g.Any(p.path, h...)
	return p
}

// Handle registers the path for a method.
func (p *Path) Handle(method string, h ...Handler) *Path {
	p.g.Handle(method, p.path, h...)
	return p
}

// Route is a registered route.
type Route struct {
	group    *routes
	inner    *Route // the route of the mounted app that this one stands for
	method   string // empty: any
	handlers []Handler
	source   string // file:line of the registration
	name     string
	socket   bool // a WebSocket route
	pattern
}

// Name gives the route a name for [App.URL].
func (r *Route) Name(name string) *Route {
	r.name = name
	return r
}

// Path returns the path as registered, with the prefixes of its groups.
func (r *Route) Path() string { return r.path }

// Method returns the route's method; empty for Any.
func (r *Route) Method() string { return r.method }

func (r *Route) info() RouteInfo {
	o := r.original()
	return RouteInfo{
		Method: o.method, Path: r.path, Name: o.name, WebSocket: o.socket,
		Operation: operation(r.chain()), Source: o.source,
	}
}

// original is the route of the mounted app, where this one stands for one.
func (r *Route) original() *Route {
	for r.inner != nil {
		r = r.inner
	}
	return r
}

func (r *Route) chain() []Handler {
	if r.inner == nil {
		return append(r.group.chain(), r.handlers...)
	}
	return append(r.group.chain(), r.inner.chain()...)
}

// RouteInfo describes a route.
type RouteInfo struct {
	Method    string     `json:"method"` // empty: any
	Path      string     `json:"path"`
	Name      string     `json:"name,omitempty"`
	WebSocket bool       `json:"websocket,omitempty"` // registered with WS
	Operation *Operation `json:"-"`                   // nil: no handler says what it does
	Source    string     `json:"-"`                   // file:line of the registration
}

// Routes lists the routes in the order of their registration.
func (a *App) Routes() []RouteInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	infos := make([]RouteInfo, len(a.all))
	for i, rt := range a.all {
		infos[i] = rt.info()
	}
	return infos
}

// URL returns the path of the route with that name, with the parameters in their
// order in place. A missing, empty or surplus one is an error.
func (a *App) URL(name string, params ...any) (string, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rt := range a.all {
		if rt.original().name == name {
			return rt.pattern.fill(params)
		}
	}
	return "", fmt.Errorf("nextrush: no route is named %q", name)
}

func (p *pattern) fill(params []any) (string, error) {
	if len(params) != len(p.names) {
		return "", fmt.Errorf("nextrush: %s needs %d parameters, got %d", p.path, len(p.names), len(params))
	}
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteString("/" + s.static)
		if s.kind == staticSegment {
			continue
		}
		text := fmt.Sprint(params[0])
		params = params[1:]
		if text == "" && s.kind == paramSegment {
			return "", fmt.Errorf("nextrush: a parameter of %s is empty", p.path)
		}
		if s.kind == paramSegment {
			text = url.PathEscape(text)
		} else {
			text = (&url.URL{Path: "/" + strings.TrimPrefix(text, "/")}).EscapedPath()[1:]
		}
		b.WriteString(text)
	}
	return b.String(), nil
}

// insert registers a route here and wherever the app is mounted.
func (a *App) insert(rt *Route) {
	a.mu.Lock()
	key := rt.method + " " + rt.canonical
	if other := a.taken[key]; other != nil {
		a.mu.Unlock()
		panic(fmt.Sprintf("nextrush: %s at %s matches the same paths as %s at %s: remove one of the two",
			rt.describe(), rt.source, other.describe(), other.source))
	}
	a.taken[key] = rt
	a.all = append(a.all, rt)
	mounted := slices.Clone(a.mounted)
	a.mu.Unlock()
	a.changed()
	for _, g := range mounted {
		g.graft(rt)
	}
}

func (r *Route) describe() string {
	if r.method == "" {
		return "ANY " + r.path
	}
	return r.method + " " + r.path
}

// graft registers a route of a mounted app here.
func (g *routes) graft(inner *Route) {
	rt := &Route{group: g, inner: inner, method: inner.method, source: inner.source}
	rt.setPattern(g.join(inner.path))
	g.app.insert(rt)
}

// changed has the route table built anew for the next request.
func (a *App) changed() {
	a.table.Store(nil)
	a.mu.Lock()
	mounted := slices.Clone(a.mounted)
	a.mu.Unlock()
	for _, g := range mounted {
		g.app.changed()
	}
}

// Mount serves an app or a handler of net/http under a prefix. Of an *App the
// routes, with its middleware, and the life cycle become part of this app, whose
// options and error handler apply. Another handler gets all requests under the
// prefix that no other route takes, with the prefix removed from the path.
func (g *routes) Mount(prefix string, h http.Handler) {
	if h == nil {
		panic("nextrush: Mount " + prefix + ": the handler is nil: give an App or an http.Handler")
	}
	if sub, ok := h.(*App); ok {
		g.Group(prefix).routes.mountApp(sub)
		return
	}
	at := g.Group(prefix)
	wrapped := stripped(h)
	if at.prefix != "" {
		at.Any("/", wrapped)
	}
	at.Any("/*"+mountParam, wrapped)
}

func (g *routes) mountApp(sub *App) {
	if sub == g.app || slices.Contains(sub.descendants(), g.app) {
		panic("nextrush: Mount: an app cannot be mounted in itself: mount another one")
	}
	sub.mu.Lock()
	sub.mounted = append(sub.mounted, g)
	all := slices.Clone(sub.all)
	sub.mu.Unlock()
	g.app.mu.Lock()
	g.app.children = append(g.app.children, sub)
	g.app.mu.Unlock()
	for _, rt := range all {
		g.graft(rt)
	}
}

func (a *App) descendants() []*App {
	a.mu.Lock()
	all := slices.Clone(a.children)
	a.mu.Unlock()
	for _, child := range slices.Clone(all) {
		all = append(all, child.descendants()...)
	}
	return all
}

// mountParam is the catch-all of a mounted handler of net/http.
const mountParam = "mounted"

// stripped hands on clean paths alone: a file server cleans them, and would serve
// "//private/x" past the guard of a route for /private/*path.
func stripped(h http.Handler) Handler {
	return func(c *Context) error {
		if clean := cleanPath(c.Path()); clean != c.Path() {
			return c.redirectToPath(clean)
		}
		r := new(http.Request)
		*r = *c.req
		u := *c.req.URL
		u.Path, u.RawPath = "/"+c.Param(mountParam), ""
		r.URL = &u
		h.ServeHTTP(c.w, r)
		return nil
	}
}

// caller is the file and line outside this package that registers a route.
func caller() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	for {
		f, more := frames.Next()
		inside := strings.HasPrefix(f.Function, "github.com/nextrush/nextrush.") && !strings.HasSuffix(f.File, "_test.go")
		if !inside || !more {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
	}
}
