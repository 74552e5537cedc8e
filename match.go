package nextrush

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/internal/route"
	"github.com/nextrush/nextrush/internal/urlpath"
)

// table finds the endpoint of a request. It never changes: another one is built when
// routes are added.
type table struct {
	*route.Sites[*endpoint]
	global   []use // of the app
	redirect bool
}

// buildTable builds the table and keeps it.
func (a *App) buildTable() *table {
	a.mu.Lock()
	all := slices.Clone(a.all)
	a.mu.Unlock()
	entries := make([]route.Entry[*endpoint], len(all))
	for i, rt := range all {
		e := &endpoint{rt, route.NewChain(rt.pattern, rt.chain(""))}
		entries[i] = route.Entry[*endpoint]{Method: rt.method, Pattern: rt.pattern, Value: e, Host: rt.host}
	}
	t := &table{route.BuildSites(entries), a.routes.chain(""), !a.opts.DisableTrailingSlashRedirect}
	a.table.Store(t)
	return t
}

// match notes in c what is to run for the request.
func (t *table) match(c *Context) {
	path := urlpath.Of(c.req.URL)
	host := ""
	if t.HaveHosts() {
		host = c.Host()
	}
	at := t.At(host)
	var ok bool
	if c.endpoint, c.params, ok = at.Find(c.req.Method, path); !ok {
		c.endpoint, c.params = t.unrouted(at, c.Request(), path)
	}
	if c.endpoint.Guards != nil {
		c.endpoint = c.endpoint.on(path)
	}
}

// unrouted is what runs for a request without a route.
func (t *table) unrouted(at route.Place[*endpoint], r *http.Request, path urlpath.Path) (*endpoint, route.Params) {
	var last Handler
	allow := at.Methods(path)
	if len(allow) > 0 {
		last = wrongMethod(r, allow)
	} else if to, ok := at.Near(r.Method, path); ok && t.redirect {
		last = func(c *Context) error { return c.redirectTo(to) }
	} else if e, params, ok := at.Find(route.NotFound, path); ok {
		return e, params
	} else {
		last = func(*Context) error { return NewError(http.StatusNotFound) }
	}
	uses := slices.Concat(t.global, innerMiddleware(at, r, path, allow), []use{{Handlers: []Handler{last}}})
	return &endpoint{nil, route.NewChain(nil, uses)}, nil
}

// wrongMethod answers 405, or OPTIONS, on a path that has routes for the methods in allow
// only.
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

// innerMiddleware is that of the mounted apps and, for a preflight, that of the groups
// whose route the request is about: the one that a preflight asks for (Fetch,
// CORS-preflight fetch), or another on its path. A preflight shows no credentials, so the
// apps' comes first: a guard of a group refuses only what no app has answered.
func innerMiddleware(at route.Place[*endpoint], r *http.Request, path urlpath.Path, allow []string) (uses []use) {
	asked := r.Header.Get("Access-Control-Request-Method")
	preflight := r.Method == http.MethodOptions && asked != "" && r.Header.Get("Origin") != ""
	for _, method := range append([]string{asked}, allow...) {
		e, _, ok := at.Find(method, path)
		if !ok {
			continue
		}
		base, groups := "", e.route.group.inGroups("")
		for rt := e.route; rt.inner != nil; rt = rt.inner {
			base += rt.group.prefix
			uses = append(uses, rt.inner.group.app.routes.own(base)...)
			groups = append(groups, rt.inner.group.inGroups(base)...)
		}
		if preflight {
			uses = append(uses, groups...)
		}
		return uses
	}
	return nil
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
