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
	*route.Table[*endpoint]
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
		entries[i] = route.Entry[*endpoint]{Method: rt.method, Pattern: rt.pattern, Value: newEndpoint(rt, rt.chain(""))}
	}
	t := &table{route.Build(entries), a.routes.chain(""), !a.opts.DisableTrailingSlashRedirect}
	a.table.Store(t)
	return t
}

// match notes in c what is to run for the request.
func (t *table) match(c *Context) {
	path := urlpath.Of(c.req.URL)
	var ok bool
	if c.endpoint, c.params, ok = t.Find(c.req.Method, path); !ok {
		c.endpoint = t.unrouted(c.req, path)
	}
	if c.endpoint.guards != nil {
		c.endpoint = c.endpoint.on(path)
	}
}

// unrouted is what runs for a request without a route.
func (t *table) unrouted(r *http.Request, path urlpath.Path) *endpoint {
	allow := t.Methods(path)
	last := use{handlers: []Handler{t.unmatched(r, allow)}}
	return newEndpoint(nil, slices.Concat(t.global, t.mountedMiddleware(r, path, allow), []use{last}))
}

// unmatched is the handler for a request without a route, on a path that has routes
// for the methods in allow.
func (t *table) unmatched(r *http.Request, allow []string) Handler {
	if len(allow) == 0 {
		return t.elsewhere(r)
	}
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
func (t *table) mountedMiddleware(r *http.Request, path urlpath.Path, allow []string) (uses []use) {
	for _, method := range append([]string{r.Header.Get("Access-Control-Request-Method")}, allow...) {
		if e, _, ok := t.Find(method, path); ok {
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

// elsewhere redirects to the clean path, with or without a slash at its end, if that
// has a route.
func (t *table) elsewhere(r *http.Request) Handler {
	from := urlpath.Of(r.URL)
	if t.redirect && from.Text != "" && from.Text[0] == '/' {
		clean := path.Clean(from.Text)
		candidates := []string{clean, strings.TrimSuffix(clean, "/") + "/"}
		if strings.HasSuffix(from.Text, "/") {
			slices.Reverse(candidates)
		}
		for _, text := range candidates {
			to := urlpath.Path{Text: text, Held: from.Held}
			if _, _, ok := t.Find(r.Method, to); ok && to != from {
				return func(c *Context) error { return c.redirectTo(to) }
			}
		}
	}
	return func(*Context) error { return NewError(http.StatusNotFound) }
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
