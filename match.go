package nextrush

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/route"
	"github.com/nextrush/nextrush/internal/urlpath"
)

// table finds the endpoint of a request. It never changes: another one is built when
// routes are added.
type table struct {
	own      *site
	hosts    *route.Table[*site] // nil: none was given to Host
	global   []use               // of the app
	redirect bool
}

// site is the routes of a host, or those of the app for any.
type site struct {
	host    *route.Pattern
	routes  *route.Table[*endpoint]
	missing *route.Table[*endpoint] // what was given to NotFound
}

// buildTable builds the table and keeps it.
func (a *App) buildTable() *table {
	a.mu.Lock()
	all := slices.Clone(a.all)
	a.mu.Unlock()
	t := &table{own: newSite(nil, all), global: a.routes.chain(""), redirect: !a.opts.DisableTrailingSlashRedirect}
	hosts := make(map[string][]*Route)
	var entries []route.Entry[*site]
	for _, rt := range all {
		if rt.host != nil {
			hosts[rt.host.Canonical] = append(hosts[rt.host.Canonical], rt)
		}
	}
	for _, list := range hosts {
		host := list[0].host
		entries = append(entries, route.Entry[*site]{Method: http.MethodGet, Pattern: host, Value: newSite(host, list)})
	}
	if len(entries) > 0 {
		t.hosts = route.Build(entries)
	}
	a.table.Store(t)
	return t
}

func newSite(host *route.Pattern, all []*Route) *site {
	var routes, missing []route.Entry[*endpoint]
	for _, rt := range all {
		e := route.Entry[*endpoint]{Method: rt.method, Pattern: rt.pattern, Value: newEndpoint(rt, rt.chain(""))}
		switch {
		case host == nil && rt.host != nil:
		case rt.method == notFound:
			missing = append(missing, e)
		default:
			routes = append(routes, e)
		}
	}
	return &site{host, route.Build(routes), route.Build(missing)}
}

// places are where a request may have its route: on its host, then on any.
type places struct {
	site   *site // nil: none for the host
	params route.Params
	own    *site
}

func (t *table) places(c *Context) places {
	p := places{own: t.own}
	if t.hosts != nil {
		if site, params, ok := t.hosts.Find(http.MethodGet, route.HostPath(c.Host())); ok {
			p.site, p.params = site, site.host.HostParams(params)
		}
	}
	return p
}

func (p places) find(method string, path urlpath.Path) (*endpoint, route.Params, bool) {
	if p.site != nil {
		if e, params, ok := p.site.routes.Find(method, path); ok {
			return e, slices.Concat(p.params, params), true
		}
	}
	return p.own.routes.Find(method, path)
}

// findMissing finds what was given to NotFound.
func (p places) findMissing(path urlpath.Path) (*endpoint, route.Params, bool) {
	if p.site != nil {
		if e, params, ok := p.site.missing.Find(notFound, path); ok {
			return e, slices.Concat(p.params, params), true
		}
	}
	return p.own.missing.Find(notFound, path)
}

// methods lists those that have a route for the path, sorted.
func (p places) methods(path urlpath.Path) []string {
	all := p.own.routes.Methods(path)
	if p.site != nil {
		all = append(all, p.site.routes.Methods(path)...)
		slices.Sort(all)
		all = slices.Compact(all)
	}
	return all
}

// match notes in c what is to run for the request.
func (t *table) match(c *Context) {
	path := urlpath.Of(c.req.URL)
	in := t.places(c)
	var ok bool
	if c.endpoint, c.params, ok = in.find(c.req.Method, path); !ok {
		c.endpoint, c.params = t.unrouted(in, c.req, path)
	}
	if c.endpoint.guards != nil {
		c.endpoint = c.endpoint.on(path)
	}
}

// unrouted is what runs for a request without a route.
func (t *table) unrouted(in places, r *http.Request, path urlpath.Path) (*endpoint, route.Params) {
	var last Handler
	allow := in.methods(path)
	if len(allow) > 0 {
		last = wrongMethod(r, allow)
	} else if to, ok := t.elsewhere(in, r.Method, path); ok {
		last = func(c *Context) error { return c.redirectTo(to) }
	} else if e, params, ok := in.findMissing(path); ok {
		return e, params
	} else {
		last = func(*Context) error { return NewError(http.StatusNotFound) }
	}
	return newEndpoint(nil, slices.Concat(t.global, mountedMiddleware(in, r, path, allow), []use{{handlers: []Handler{last}}})), nil
}

// wrongMethod answers on a path that has routes for the methods in allow.
func wrongMethod(r *http.Request, allow []string) Handler {
	if !slices.Contains(allow, http.MethodOptions) {
		allow = append(allow, http.MethodOptions)
		slices.Sort(allow)
	}
	value := strings.Join(allow, ", ")
	return func(c *Context) error {
		if r.Method == http.MethodOptions {
			return c.SetHeader("Allow", value).NoContent()
		}
		return NewError(http.StatusMethodNotAllowed).WithHeader("Allow", value)
	}
}

// mountedMiddleware is that of the mounted apps whose route the request is about: the
// one that a preflight asks for (Fetch, CORS-preflight fetch), or another on its path.
func mountedMiddleware(in places, r *http.Request, path urlpath.Path, allow []string) (uses []use) {
	for _, method := range append([]string{r.Header.Get("Access-Control-Request-Method")}, allow...) {
		if e, _, ok := in.find(method, path); ok {
			base := ""
			for rt := e.route; rt.inner != nil; rt = rt.inner {
				base += rt.group.prefix
				uses = append(uses, rt.inner.group.app.chain(base)...)
			}
			break
		}
	}
	return uses
}

// elsewhere is the clean path, with or without a slash at its end, if that has a route.
func (t *table) elsewhere(in places, method string, from urlpath.Path) (to urlpath.Path, ok bool) {
	if !t.redirect || from.Text == "" || from.Text[0] != '/' {
		return to, false
	}
	clean := path.Clean(from.Text)
	candidates := []string{clean, strings.TrimSuffix(clean, "/") + "/"}
	if strings.HasSuffix(from.Text, "/") {
		slices.Reverse(candidates)
	}
	for _, text := range candidates {
		to := urlpath.Path{Text: text, Held: from.Held}
		if _, _, ok := in.find(method, to); ok && to != from {
			return to, true
		}
	}
	return to, false
}

// redirectTo redirects to another path on this host, with the query of the request. The
// path begins with exactly one slash.
func (c *Context) redirectTo(path urlpath.Path) error {
	if c.app.opts.DisableTrailingSlashRedirect {
		return NewError(http.StatusNotFound)
	}
	u := url.URL{RawQuery: c.req.URL.RawQuery}
	path.Set(&u)
	return c.Redirect(u.String(), http.StatusPermanentRedirect)
}
