package nextrush

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/julienschmidt/httprouter"
)

// kind orders segments: what is smaller beats what is larger.
type kind uint8

const (
	static kind = iota
	param
	catchAll
)

// segment is what stands between two slashes of a pattern: a text, or a
// parameter that may follow a text.
type segment struct {
	kind kind
	text string // the whole, or what precedes the parameter
}

// parsePattern splits a pattern; a mistake in it is a panic that names it.
func parsePattern(pattern string) (segments []segment, params []string) {
	parts := strings.Split(pattern[1:], "/")
	for i, part := range parts {
		at := strings.IndexAny(part, ":*")
		if at < 0 {
			segments = append(segments, segment{static, part})
			continue
		}
		name := part[at+1:]
		s := segment{param, part[:at]}
		if part[at] == '*' {
			s.kind = catchAll
		}
		switch {
		case name == "" || strings.ContainsAny(name, ":*"):
			panic(fmt.Sprintf("nextrush: %q: %q needs one name, as in %q or %q", pattern, part, "/:id", "/*path"))
		case s.kind == catchAll && (i < len(parts)-1 || at > 0):
			panic(fmt.Sprintf("nextrush: %q: a catch-all is the whole last segment", pattern))
		case slices.Contains(params, name):
			panic(fmt.Sprintf("nextrush: %q: two parameters are named %q", pattern, name))
		}
		params = append(params, name)
		segments = append(segments, s)
	}
	return segments, params
}

// samePaths reports whether two routes match exactly the same paths.
func samePaths(a, b *Route) bool { return slices.Equal(a.segments, b.segments) }

// moreSpecific orders routes: at the first segment that differs, text beats
// parameter beats catch-all, and a parameter behind more text beats one behind
// less.
func moreSpecific(a, b *Route) int {
	for i := range min(len(a.segments), len(b.segments)) {
		x, y := a.segments[i], b.segments[i]
		if x.kind != y.kind {
			return int(x.kind) - int(y.kind)
		}
		if x.kind == param && len(x.text) != len(y.text) {
			return len(y.text) - len(x.text)
		}
	}
	return len(a.segments) - len(b.segments) // these never overlap; it keeps the order total
}

// overlap reports whether some path matches both.
func overlap(a, b *Route) bool {
	for i := 0; ; i++ {
		switch {
		case i == len(a.segments) || i == len(b.segments):
			return len(a.segments) == len(b.segments)
		case a.segments[i].kind == catchAll || b.segments[i].kind == catchAll:
			return true
		case !segmentsOverlap(a.segments[i], b.segments[i]):
			return false
		}
	}
}

func segmentsOverlap(x, y segment) bool {
	switch {
	case x.kind == static && y.kind == static:
		return x.text == y.text
	case x.kind == static:
		return len(x.text) > len(y.text) && strings.HasPrefix(x.text, y.text)
	case y.kind == static:
		return segmentsOverlap(y, x)
	}
	return strings.HasPrefix(x.text, y.text) || strings.HasPrefix(y.text, x.text)
}

// table finds the route of a request. For each method it has a map of the
// routes without parameters, and a list of httprouter trees for the others:
// httprouter refuses routes that overlap in one tree, so a route stands in the
// first tree behind all more specific routes that overlap it. The first tree
// that matches has the most specific route.
type table struct {
	app      *App
	methods  map[string]*methodTable
	names    []string // of the methods, sorted
	notFound []Handler
	refused  []Handler // 405
	options  []Handler
	redirect []Handler
}

type methodTable struct {
	static map[string]*Route
	trees  []*tree
}

// tree is an httprouter tree whose handles note the route they stand for.
type tree struct {
	router *httprouter.Router
	routes []*Route
}

func newTable(a *App) *table {
	t := &table{app: a, methods: make(map[string]*methodTable)}
	routes := slices.Clone(a.routes)
	slices.SortStableFunc(routes, moreSpecific)
	for _, r := range routes {
		r.chain = append(r.group.chain(), r.handlers...)
		m := t.methods[r.Method]
		if m == nil {
			m = &methodTable{static: make(map[string]*Route)}
			t.methods[r.Method] = m
			t.names = append(t.names, r.Method)
		}
		m.add(r)
	}
	slices.Sort(t.names)
	global := a.root.chain()
	with := func(h Handler) []Handler { return append(slices.Clip(global), h) }
	t.notFound = with(func(c *Context) error { return NewError(http.StatusNotFound) })
	t.refused = with(func(c *Context) error { return NewError(http.StatusMethodNotAllowed) })
	t.options = with(func(c *Context) error { return c.NoContent() })
	t.redirect = with(redirect)
	return t
}

// chain lists the handlers of a group and those around it.
func (g *Group) chain() []Handler {
	if g.parent == nil {
		return slices.Clone(g.handlers)
	}
	return append(g.parent.chain(), g.handlers...)
}

func (m *methodTable) add(r *Route) {
	if len(r.params) == 0 {
		m.static[r.Pattern] = r
		return
	}
	first := 0
	for i, t := range m.trees {
		if slices.ContainsFunc(t.routes, func(o *Route) bool { return overlap(o, r) }) {
			first = i + 1
		}
	}
	for _, t := range m.trees[first:] {
		if t.add(r) {
			return
		}
	}
	t := new(tree)
	t.rebuild()
	t.add(r)
	m.trees = append(m.trees, t)
}

func (t *tree) rebuild() {
	t.router = &httprouter.Router{NotFound: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})}
	for _, r := range t.routes {
		t.router.Handle(r.Method, r.canonical(), r.note)
	}
}

// add reports false, and changes nothing, where httprouter refuses the route
// beside those that are there.
func (t *tree) add(r *Route) (ok bool) {
	defer func() {
		if recover() != nil {
			t.rebuild()
			ok = false
		}
	}()
	t.router.Handle(r.Method, r.canonical(), r.note)
	t.routes = append(t.routes, r)
	return true
}

// canonical is the pattern with parameters named by their position, so that
// routes that name them differently fit in one tree.
func (r *Route) canonical() string {
	var b strings.Builder
	for i, s := range r.segments {
		b.WriteByte('/')
		b.WriteString(s.text)
		if s.kind != static {
			b.WriteByte(":*"[s.kind-param])
			b.WriteString(strconv.Itoa(i))
		}
	}
	return b.String()
}

// note is the httprouter handle of the route: it tells the Context which
// route matched, and with which values.
func (r *Route) note(w http.ResponseWriter, _ *http.Request, ps httprouter.Params) {
	w.(*response).c.matched(r, ps)
}

// match finds what answers the request.
func (t *table) match(c *Context) {
	method, path := c.req.Method, c.req.URL.Path
	if t.find(c, method, path) || method == http.MethodHead && t.find(c, http.MethodGet, path) {
		c.handlers = c.route.chain
		return
	}
	c.unmatch()
	if allowed := t.allowed(c, path); allowed != "" {
		c.rw.Header().Set("Allow", allowed)
		c.handlers = t.refused
		if method == http.MethodOptions {
			c.handlers = t.options
		}
		return
	}
	c.handlers = t.notFound
	if target := t.elsewhere(c, path); target != "" {
		c.target = target
		c.handlers = t.redirect
	}
}

// find looks up a route and reports whether it is noted in the Context.
func (t *table) find(c *Context, method, path string) bool {
	m := t.methods[method]
	if m == nil {
		return false
	}
	if r := m.static[path]; r != nil {
		c.route = r
		return true
	}
	for _, tree := range m.trees {
		tree.find(c, method, path)
		if c.route != nil {
			return true
		}
	}
	return false
}

func (t *tree) find(c *Context, method, path string) {
	if method == c.req.Method && path == c.req.URL.Path {
		t.router.ServeHTTP(&c.rw, c.req)
		return
	}
	if handle, ps, _ := t.router.Lookup(method, path); handle != nil {
		handle(&c.rw, c.req, ps)
	}
}

// allowed lists the methods that a path has; empty: none.
func (t *table) allowed(c *Context, path string) string {
	var list []string
	for _, method := range t.names {
		if t.find(c, method, path) {
			c.unmatch()
			list = append(list, method)
		}
	}
	if len(list) == 0 {
		return ""
	}
	for _, implied := range []string{http.MethodHead, http.MethodOptions} {
		if !slices.Contains(list, implied) && (implied == http.MethodOptions || slices.Contains(list, http.MethodGet)) {
			list = append(list, implied)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// elsewhere is the path that a request should have had: the clean one, with or
// without the trailing slash; empty where no route has that either.
func (t *table) elsewhere(c *Context, path string) string {
	if t.app.opts.DisableRedirects || c.req.Method == http.MethodConnect {
		return ""
	}
	clean := cleanPath(path)
	other := strings.TrimSuffix(clean, "/")
	if other == clean {
		other += "/"
	}
	for _, p := range []string{clean, other} {
		if p == path || p == "" {
			continue
		}
		if t.allowed(c, p) != "" {
			return p
		}
	}
	return ""
}

// redirect sends the client to c.target on the same host. A cleaned path has
// exactly one leading slash, and escaping leaves no backslash in it.
func redirect(c *Context) error {
	u := url.URL{Path: c.target, RawQuery: c.req.URL.RawQuery}
	location := "/" + strings.TrimLeft(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		location += "?" + u.RawQuery
	}
	c.w.Header().Set("Location", location)
	c.w.WriteHeader(http.StatusPermanentRedirect)
	return nil
}

// matched notes what httprouter found. A parameter matches no empty segment.
func (c *Context) matched(r *Route, ps httprouter.Params) {
	for i, s := range r.kinds {
		if s == param && ps[i].Value == "" {
			return
		}
	}
	c.route = r
	c.params = append(c.space[:0], ps...)
}

func (c *Context) unmatch() { c.route, c.params = nil, nil }
