package nextrush

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/caller"
	"github.com/nextrush/nextrush/internal/route"
)

// routes registers routes under a prefix, after middleware. App and Group embed it.
type routes struct {
	app    *App
	parent *routes
	host   *route.Pattern // nil: any
	prefix string
	uses   []use
	source string // file:line of a group
	used   bool   // something is registered on it

	wsMiddleware []WSMiddleware
	namespace    bool // the prefix names the namespace of its sockets
}

// Group is a set of routes with a common prefix and middleware.
type Group struct{ routes }

// Group makes a group of routes under a prefix; the handlers run before theirs. They are
// for what is registered on the Group alone, so an App with a Group that has handlers and
// no routes does not start. [App.Use] takes a prefix too, for all requests under it.
func (g *routes) Group(prefix string, handlers ...Handler) *Group {
	mustHandlers("Group "+prefix, handlers)
	sub := &Group{routes{app: g.app, parent: g, host: g.host, prefix: g.joinPrefix("Group", prefix), source: caller.Outside()}}
	if len(handlers) > 0 {
		sub.uses = []use{{Handlers: slices.Clone(handlers)}}
	}
	g.app.mu.Lock()
	defer g.app.mu.Unlock()
	g.app.groups = append(g.app.groups, &sub.routes)
	return sub
}

// idleGroup finds a group whose middleware guards nothing.
func (a *App) idleGroup() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, g := range a.groups {
		if !g.used && len(g.uses)+len(g.wsMiddleware) > 0 {
			name := g.prefix
			if g.host != nil {
				name = g.host.Path + name
			}
			return fmt.Errorf("nextrush: the group %q at %s has middleware and no routes, so it guards nothing: "+
				"register routes on what Group returned, or give app.Use the prefix and the middleware", name, g.source)
		}
	}
	return nil
}

// markUsed notes that something is registered on the group.
func (g *routes) markUsed() {
	for ; g != nil; g = g.parent {
		g.used = true
	}
}

// joinPrefix returns a prefix with that of the group before it.
func (g *routes) joinPrefix(what, prefix string) string {
	if prefix != "" && prefix[0] != '/' {
		panic(fmt.Sprintf("nextrush: %s: the prefix %q must begin with a slash", what, prefix))
	}
	return g.prefix + strings.TrimRight(prefix, "/")
}

// With makes a group without a prefix; the handlers run before those of its routes.
func (g *routes) With(handlers ...Handler) *Group { return g.Group("", handlers...) }

// Host makes a group for the requests to a host: "api.example.com", ":tenant.example.com"
// with a parameter for [Context.Param], or "*.example.com" for all hosts below another
// one; "*name" is that part as a parameter. Of the hosts that fit, text beats a parameter
// and that beats "*". What has no route there is looked for among the app's own routes.
// The host is that of [Context.Hostname], in small letters. To serve an App on a host,
// with its life cycle, mount it on the Group.
func (a *App) Host(pattern string, handlers ...Handler) *Group {
	host, err := route.ParseHost(pattern)
	if err != nil {
		panic("nextrush: Host " + err.Error())
	}
	g := a.Group("", handlers...)
	g.host = host
	return g
}

// NotFound adds the last handlers for requests under the group's prefix, on an App for
// all, that have no route. The middleware of the group runs before. The status is 404
// unless they set another. Of the prefixes that fit, the longest counts.
func (g *routes) NotFound(handlers ...Handler) {
	missing := func(c *Context) error { return c.Status(http.StatusNotFound).Next() }
	mustHandlers("NotFound", handlers)
	if len(handlers) == 0 {
		panic("nextrush: NotFound has no handler: give at least one")
	}
	for _, path := range []string{"/", "/*-"} {
		rt := &Route{group: g, method: route.NotFound, handlers: append([]Handler{missing}, handlers...), source: caller.Outside()}
		rt.place(g.host, g.join(path))
		g.app.insert(rt)
	}
}

// Get registers a route for GET, and for HEAD if no other takes that.
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

// Options registers a route for OPTIONS, instead of the automatic answer.
func (g *routes) Options(path string, handlers ...Handler) *Route {
	return g.Handle(http.MethodOptions, path, handlers...)
}

// Any registers a route for all methods of RFC 9110 and PATCH. A route for one of them
// on the same path takes precedence.
func (g *routes) Any(path string, handlers ...Handler) *Route {
	return g.add("", path, handlers)
}

// Handle registers a route. A path is made of segments: "users" matches itself,
// ":id" any segment that is not empty, "v:major" one that begins with v, and
// "*rest" at the end all that follows. Of the routes that match a request,
// the first segment in which they differ decides: static before parameter before
// catch-all. Two routes for the same paths panic.
func (g *routes) Handle(method, path string, handlers ...Handler) *Route {
	if method == "" || strings.ContainsAny(method, " \t\r\n") || method != strings.ToUpper(method) {
		panic(fmt.Sprintf("nextrush: %q is not an HTTP method: write it in capitals, as in GET", method))
	}
	return g.add(method, path, handlers)
}

// Route gives the handlers of several methods for one path.
func (g *routes) Route(path string) *RoutePath { return &RoutePath{g, path} }

func (g *routes) add(method, path string, handlers []Handler) *Route {
	what := strings.TrimSpace(method + " " + path)
	mustHandlers(what, handlers)
	if len(handlers) == 0 {
		panic("nextrush: route " + what + " has no handler: give at least one")
	}
	rt := &Route{group: g, method: method, handlers: slices.Clone(handlers), source: caller.Outside()}
	rt.place(g.host, g.join(path))
	operation(route.Always(rt.pattern, rt.chain(""))).mustSuit(rt.describe(), rt.pattern.Names, g.app.opts.Validator)
	g.app.insert(rt)
	return rt
}

// place gives the route its path, on a host unless that is nil.
func (rt *Route) place(host *route.Pattern, path string) {
	p, err := route.Parse(path)
	if err == nil {
		p, err = p.On(host)
	}
	if err != nil {
		panic("nextrush: " + err.Error())
	}
	rt.host, rt.pattern = host, p
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

func mustHandlers(what string, handlers []Handler) {
	if slices.ContainsFunc(handlers, func(h Handler) bool { return h == nil }) {
		panic("nextrush: " + what + ": a handler is nil: give a function")
	}
}

// insert registers a route here and wherever the app is mounted.
func (a *App) insert(rt *Route) {
	a.mu.Lock()
	key := rt.method + " " + rt.pattern.Canonical
	if rt.host != nil {
		key += " " + rt.host.Canonical
	}
	if other := a.taken[key]; other != nil {
		a.mu.Unlock()
		panic(fmt.Sprintf("nextrush: %s at %s matches the same paths as %s at %s: remove one of the two",
			rt.describe(), rt.source, other.describe(), other.source))
	}
	a.taken[key] = rt
	rt.group.markUsed()
	a.all = append(a.all, rt)
	mounted := slices.Clone(a.mounted)
	a.mu.Unlock()
	a.changed()
	for _, g := range mounted {
		g.graft(rt)
	}
}

// graft registers a route of a mounted app here.
func (g *routes) graft(inner *Route) {
	rt := &Route{group: g, inner: inner, method: inner.method, source: inner.source}
	host := g.host
	if host == nil {
		host = inner.host
	} else if inner.host != nil {
		panic(fmt.Sprintf("nextrush: %s at %s is mounted on the host %s: mount its app outside of Host", inner.describe(), inner.source, host.Path))
	}
	rt.place(host, g.join(inner.pattern.Path))
	g.app.insert(rt)
}

// changed makes the next request build the route table anew.
func (a *App) changed() {
	a.table.Store(nil)
	a.mu.Lock()
	mounted := slices.Clone(a.mounted)
	a.mu.Unlock()
	for _, g := range mounted {
		g.app.changed()
	}
}

// use is middleware for all requests, or for those under a prefix.
type use = route.Use[Handler]

// Use adds middleware: app.Use(auth, limit), or app.Use("/api", auth, limit) for the
// paths under a prefix. first is that prefix, a Handler or a []Handler; Use panics if it
// is anything else.
//
// On an App middleware runs for every request, with or without a route; on a mounted
// App, for requests on the paths of its routes; on a Group, for the group's routes. A
// prefix begins after that of the Group. It makes no difference whether a route was
// registered before or after.
//
// A prefix is one or more whole segments, and may have parameters, which its middleware
// gets from [Context.Param]: "/tenants/:tenant". A path is under it if any reader takes
// it for one, so that a guard cannot be passed by: "/API", "//api", "/x/../api" and
// "/api%2Fx" are under "/api".
func (g *routes) Use(first any, more ...Handler) {
	var u use
	switch first := first.(type) {
	case string:
		u = use{Prefix: g.mustPrefix(first), Handlers: slices.Clone(more)}
		if len(more) == 0 {
			panic(fmt.Sprintf("nextrush: Use %q has no handler: give at least one", first))
		}
	case []Handler:
		u.Handlers = slices.Concat(first, more)
	case Handler:
		u.Handlers = append([]Handler{first}, more...)
	case func(*Context) error:
		u.Handlers = append([]Handler{first}, more...)
	default:
		panic(fmt.Sprintf("nextrush: Use takes a path or a Handler, not a %T: %s", first, howToUse(first)))
	}
	mustHandlers("Use", u.Handlers)
	g.uses = append(g.uses, u)
	g.app.changed()
}

func howToUse(v any) string {
	switch v.(type) {
	case nil:
		return "give a function"
	case func(http.Handler) http.Handler:
		return "put WrapMiddleware around it"
	case func(http.ResponseWriter, *http.Request):
		return "give WrapHandler(http.HandlerFunc(f))"
	case http.Handler:
		return "Mount serves it under a path"
	}
	return "give a func(c *nextrush.Context) error"
}

// mustPrefix returns nil for the root of the app, which needs none.
func (g *routes) mustPrefix(path string) *route.Prefix {
	path = g.joinPrefix("Use", path)
	if path == "" {
		return nil
	}
	p, err := route.ParsePrefix(path)
	if err != nil {
		panic("nextrush: Use " + err.Error())
	}
	return p
}

// chain is the middleware from the app's down to this group's, for an app that is
// mounted at base.
func (g *routes) chain(base string) []use {
	return append(g.app.routes.own(base), g.inGroups(base)...)
}

// inGroups is chain without the middleware of the app.
func (g *routes) inGroups(base string) []use {
	if g.parent == nil {
		return nil
	}
	return append(g.parent.inGroups(base), g.own(base)...)
}

func (g *routes) own(base string) (uses []use) {
	for _, u := range g.uses {
		u, err := u.Under(base)
		if err != nil {
			panic("nextrush: Use " + err.Error())
		}
		uses = append(uses, u)
	}
	return uses
}

// chain is all that may run for the route.
func (r *Route) chain(base string) []use {
	uses := r.group.chain(base)
	if r.inner == nil {
		return append(uses, use{Handlers: r.handlers})
	}
	return append(uses, r.inner.chain(base+r.group.prefix)...)
}
