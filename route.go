package nextrush

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/route"
)

// RoutePath registers the methods of one path.
type RoutePath struct {
	g    *routes
	path string
}

// Get registers the path for GET.
func (p *RoutePath) Get(h ...Handler) *RoutePath { return p.Handle(http.MethodGet, h...) }

// Post registers the path for POST.
func (p *RoutePath) Post(h ...Handler) *RoutePath { return p.Handle(http.MethodPost, h...) }

// Put registers the path for PUT.
func (p *RoutePath) Put(h ...Handler) *RoutePath { return p.Handle(http.MethodPut, h...) }

// Patch registers the path for PATCH.
func (p *RoutePath) Patch(h ...Handler) *RoutePath { return p.Handle(http.MethodPatch, h...) }

// Delete registers the path for DELETE.
func (p *RoutePath) Delete(h ...Handler) *RoutePath { return p.Handle(http.MethodDelete, h...) }

// Head registers the path for HEAD.
func (p *RoutePath) Head(h ...Handler) *RoutePath { return p.Handle(http.MethodHead, h...) }

// Options registers the path for OPTIONS.
func (p *RoutePath) Options(h ...Handler) *RoutePath { return p.Handle(http.MethodOptions, h...) }

// Any registers the path for all methods.
func (p *RoutePath) Any(h ...Handler) *RoutePath {
	p.g.Any(p.path, h...)
	return p
}

// Handle registers the path for a method.
func (p *RoutePath) Handle(method string, h ...Handler) *RoutePath {
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
	socket   bool         // a WebSocket route
	running  atomic.Int64 // requests, for Shutdown to name
	pace     lazyPace     // of its handlers
	pattern  *route.Pattern
	host     *route.Pattern // nil: any
}

// Named gives the route a name for [App.URL].
func (r *Route) Named(name string) *Route {
	r.name = name
	return r
}

// Path returns the path as registered, with the prefixes of its groups.
func (r *Route) Path() string { return r.pattern.Path }

// Method returns the route's method; empty for Any.
func (r *Route) Method() string { return r.method }

func (r *Route) info() RouteInfo {
	o := r.original()
	always := route.Always(r.pattern, r.chain(""))
	info := RouteInfo{
		Method: o.method, Path: r.pattern.Path, Name: o.name, WebSocket: o.socket,
		Middleware: len(always) - 1, Operation: operation(always), Source: o.source,
	}
	if o.socket {
		info.Namespace, _ = r.namespace()
	}
	if r.host != nil {
		info.Host = r.host.Path
	}
	return info
}

// original is the route of the mounted app, if this one stands for one.
func (r *Route) original() *Route {
	for r.inner != nil {
		r = r.inner
	}
	return r
}

// RouteInfo describes a route.
type RouteInfo struct {
	Method     string     `json:"method"` // empty: any
	Path       string     `json:"path"`
	Host       string     `json:"host,omitempty"` // as given to Host; empty: any
	Name       string     `json:"name,omitempty"`
	WebSocket  bool       `json:"websocket,omitempty"` // registered with WS
	Namespace  string     `json:"namespace,omitempty"` // of a socket: the prefix that names it, after the host; empty: the default one
	Middleware int        `json:"-"`                   // handlers that run before the route's last, for every request
	Operation  *Operation `json:"-"`                   // nil: no handler says what it does
	Source     string     `json:"-"`                   // file:line of the registration
}

// Routes lists the routes in the order of their registration.
func (a *App) Routes() []RouteInfo {
	a.mu.Lock()
	defer a.mu.Unlock()
	infos := make([]RouteInfo, 0, len(a.all))
	for _, rt := range a.all {
		if rt.method != route.NotFound {
			infos = append(infos, rt.info())
		}
	}
	return infos
}

// URL returns the path of the route with that name, with the parameters in their order,
// escaped, and, if url.Values come after them, with these as its query. A missing, empty
// or surplus parameter is an error, and so is one that no request could have, such as
// "..". The host of a route on one is not in it.
func (a *App) URL(name string, params ...any) (string, error) {
	var query string
	if n := len(params); n > 0 {
		if values, ok := params[n-1].(url.Values); ok {
			params = params[:n-1]
			query = (&url.URL{RawQuery: values.Encode()}).String()
		}
	}
	rt := a.named(name)
	if rt == nil {
		return "", fmt.Errorf("nextrush: no route is named %q", name)
	}
	path, err := rt.pattern.Fill(params)
	if err != nil {
		return "", fmt.Errorf("nextrush: URL: %w", err)
	}
	return path + query, nil
}

// RedirectTo is Redirect to the route with that name, with parameters and query as for
// [App.URL]; Status chooses another code than 302.
func (c *Context) RedirectTo(name string, params ...any) error {
	to, err := c.app.URL(name, params...)
	if err != nil {
		return err
	}
	return c.Redirect(to, cmp.Or(int(c.code), http.StatusFound))
}

func (a *App) named(name string) *Route {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, rt := range a.all {
		if rt.original().name == name {
			return rt
		}
	}
	return nil
}

func (r *Route) describe() string {
	where := r.pattern.Path
	if r.host != nil {
		where = r.host.Path + where
	}
	return cmp.Or(r.method, "ANY") + " " + where
}
