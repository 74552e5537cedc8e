package nextrush

import (
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// table finds the route of a request. It never changes: another one is built
// when routes are added.
//
// httprouter's tree refuses routes that overlap, so a method has several: its
// static routes are in a map, and each of the others is in the first tree after
// all routes that overlap it and take precedence. Trees are asked in that order,
// and the first answer is the right one. In the trees all parameters have the
// same name, since a name belongs to one route but a position to many.
type table struct {
	global   []Handler // of the app
	methods  map[string]*methodTable
	redirect bool
}

// endpoint is a route, or none, with all that runs for it.
type endpoint struct {
	route    *Route
	handlers []Handler
}

type methodTable struct {
	static map[string]*endpoint
	trees  []*httprouter.Router
}

// buildTable builds the table and keeps it.
func (a *App) buildTable() *table {
	a.mu.Lock()
	all := slices.Clone(a.all)
	a.mu.Unlock()
	t := newTable(all)
	t.global = a.routes.chain()
	t.redirect = !a.opts.DisableTrailingSlashRedirect
	a.table.Store(t)
	return t
}

func newTable(all []*Route) *table {
	t := &table{methods: make(map[string]*methodTable)}
	endpoints := make(map[*Route]*endpoint, len(all))
	for _, rt := range all {
		endpoints[rt] = &endpoint{rt, rt.chain()}
	}
	for method, routes := range byMethod(all) {
		t.methods[method] = newMethodTable(routes, endpoints)
	}
	return t
}

// byMethod gives each method its routes, one for each canonical path: its own
// before, for HEAD, those of GET, before those for any method.
func byMethod(all []*Route) map[string][]*Route {
	methods := make(map[string]map[string]*Route)
	put := func(method string, rt *Route) {
		if methods[method] == nil {
			methods[method] = make(map[string]*Route)
		}
		if methods[method][rt.canonical] == nil {
			methods[method][rt.canonical] = rt
		}
	}
	for _, rt := range all {
		if rt.method != "" {
			put(rt.method, rt)
		}
	}
	for _, rt := range all {
		if rt.method == http.MethodGet {
			put(http.MethodHead, rt)
		}
	}
	for _, rt := range all {
		for _, m := range anyMethods {
			if rt.method == "" {
				put(m, rt)
			}
		}
	}
	lists := make(map[string][]*Route, len(methods))
	for method, routes := range methods {
		for _, rt := range routes {
			lists[method] = append(lists[method], rt)
		}
	}
	return lists
}

func newMethodTable(routes []*Route, endpoints map[*Route]*endpoint) *methodTable {
	slices.SortFunc(routes, func(a, b *Route) int { return a.compare(&b.pattern) })
	m := &methodTable{static: make(map[string]*endpoint)}
	var layers [][]*Route
	for _, rt := range routes {
		if len(rt.names) == 0 {
			m.static[rt.path] = endpoints[rt]
			continue
		}
		i := layerFor(rt, layers)
		if i == len(layers) {
			layers = append(layers, nil)
			m.trees = append(m.trees, httprouter.New())
		}
		layers[i] = append(layers[i], rt)
		m.trees[i].Handle(http.MethodGet, rt.canonical, endpoints[rt].report)
	}
	return m
}

// layerFor is the first tree after all overlapping routes that has room for rt.
func layerFor(rt *Route, layers [][]*Route) int {
	first := 0
	for i, layer := range layers {
		if slices.ContainsFunc(layer, func(o *Route) bool { return o.overlaps(&rt.pattern) }) {
			first = i + 1
		}
	}
	for i := first; i < len(layers); i++ {
		if !slices.ContainsFunc(layers[i], func(o *Route) bool { return !o.shareTree(&rt.pattern) }) {
			return i
		}
	}
	return len(layers)
}

// report is the endpoint's handle in a tree: it tells which endpoint it is.
func (e *endpoint) report(w http.ResponseWriter, _ *http.Request, _ httprouter.Params) {
	w.(*response).match = e
}

// find returns the endpoint for a path; w is where the trees put it.
func (m *methodTable) find(path urlpath.Path, w *response) (*endpoint, httprouter.Params) {
	if e := m.static[path.Text]; e != nil {
		return e, nil
	}
	if path.Text == "" || path.Text[0] != '/' {
		return nil, nil
	}
	for _, tree := range m.trees {
		report, params, _ := tree.Lookup(http.MethodGet, path.Text)
		if report == nil {
			continue
		}
		report(w, nil, nil)
		e := w.match
		if e.route.lacksValue(params, path.Held) {
			continue
		}
		if path.Held && !m.release(path, e, params) {
			return nil, nil
		}
		return e, params
	}
	return nil, nil
}

// release decodes the parameters of a path with encoded slashes. A catch-all is a path
// itself, so that they are slashes in it: it reports false where these lead to another
// route than e, which may be there to guard a part of what e serves.
func (m *methodTable) release(path urlpath.Path, e *endpoint, params httprouter.Params) bool {
	if last := len(params) - 1; e.route.endsInCatchAll() {
		rest := params[last].Value
		if opened := urlpath.Open(rest); opened != rest {
			path.Text = strings.TrimSuffix(path.Text, rest) + opened
			if other, _ := m.find(path, new(response)); other != e {
				return false
			}
		}
	}
	for i := range params {
		params[i].Value = urlpath.Decode(params[i].Value)
	}
	return true
}

// lacksValue reports a parameter that is empty, which httprouter lets pass inside a
// path, or that has a "." or ".." for a segment: joined to the name of a directory it
// must not lead out of it.
func (p *pattern) lacksValue(params httprouter.Params, held bool) bool {
	if p.endsInCatchAll() {
		params = params[:len(params)-1]
	}
	for i := range params {
		v := params[i].Value
		if held {
			v = urlpath.Decode(v)
		}
		if v == "" || urlpath.HasDots(v) {
			return true
		}
	}
	return false
}

// match notes in c what is to run for the request.
func (t *table) match(c *Context) {
	if m := t.methods[c.req.Method]; m != nil {
		if c.rw.match, c.params = m.find(urlpath.Of(c.req.URL), &c.rw); c.rw.match != nil {
			return
		}
	}
	at := t.routesAt(urlpath.Of(c.req.URL))
	handlers := slices.Concat(t.global, at.middleware(c.req), []Handler{t.unmatched(c.req, at.methods())})
	c.rw.match = &endpoint{handlers: handlers}
}

// unmatched is the handler for a request without a route, on a path that has routes
// for the methods in allow.
func (t *table) unmatched(r *http.Request, allow []string) Handler {
	switch {
	case len(allow) > 0 && r.Method == http.MethodOptions:
		return func(c *Context) error {
			c.SetHeader("Allow", strings.Join(allow, ", "))
			return c.NoContent()
		}
	case len(allow) > 0:
		return func(*Context) error {
			return NewError(http.StatusMethodNotAllowed).WithHeader("Allow", strings.Join(allow, ", "))
		}
	}
	if to := t.elsewhere(r); to != "" {
		return func(c *Context) error {
			c.SetHeader("Location", to)
			c.Status(http.StatusPermanentRedirect).w.WriteHeader(http.StatusPermanentRedirect)
			return nil
		}
	}
	return func(*Context) error { return NewError(http.StatusNotFound) }
}

// routesByMethod are the endpoints of one path.
type routesByMethod map[string]*endpoint

// routesAt finds the routes of all methods on a path. On "*", which stands for the
// whole app, each method that it has routes for is there without one.
func (t *table) routesAt(path urlpath.Path) routesByMethod {
	at := make(routesByMethod)
	for method, m := range t.methods {
		if e, _ := m.find(path, new(response)); e != nil || path.Text == "*" {
			at[method] = e
		}
	}
	return at
}

// methods lists what Allow says.
func (at routesByMethod) methods() []string {
	methods := slices.Collect(maps.Keys(at))
	if len(methods) > 0 && at[http.MethodOptions] == nil {
		methods = append(methods, http.MethodOptions)
	}
	slices.Sort(methods)
	return slices.Compact(methods)
}

// middleware is that of the mounted apps whose route the request is about: the one that
// a preflight asks for (Fetch, CORS-preflight fetch), or another on its path.
func (at routesByMethod) middleware(r *http.Request) []Handler {
	var handlers []Handler
	for _, method := range append([]string{r.Header.Get("Access-Control-Request-Method")}, at.methods()...) {
		if e := at[method]; e != nil {
			for rt := e.route.inner; rt != nil; rt = rt.inner {
				handlers = append(handlers, rt.group.app.handlers...)
			}
			break
		}
	}
	return handlers
}

// elsewhere is where the request is redirected to: the clean path, with or
// without a slash at its end, if that has a route. It begins with exactly one
// slash, so that it stays on this host, and is empty where there is no such route.
func (t *table) elsewhere(r *http.Request) string {
	m := t.methods[r.Method]
	from := urlpath.Of(r.URL)
	if m == nil || !t.redirect || from.Text == "" || from.Text[0] != '/' {
		return ""
	}
	clean := path.Clean(from.Text)
	candidates := []string{clean, strings.TrimSuffix(clean, "/") + "/"}
	if strings.HasSuffix(from.Text, "/") {
		slices.Reverse(candidates)
	}
	for _, text := range candidates {
		to := urlpath.Path{Text: text, Held: from.Held}
		if e, _ := m.find(to, new(response)); to != from && e != nil {
			return location(to, r)
		}
	}
	return ""
}

// location is the path with the query of the request.
func location(to urlpath.Path, r *http.Request) string {
	u := url.URL{RawQuery: r.URL.RawQuery}
	to.Set(&u)
	return u.String()
}
