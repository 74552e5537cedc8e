package nextrush

import (
	"net/http"
	"slices"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// Mount serves an App or a handler of net/http under a prefix. Mounting an *App adds
// its routes, middleware and life cycle to this one, under this one's options and error
// handler; its sockets stay its own, for its WSTo and WSBroadcast. Another handler gets
// the requests of every method under the prefix that no other route takes, with the
// prefix removed from the path. A route that guards a part of it has to be for Any.
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
	if sub.life.Has(g.app.life) {
		panic("nextrush: Mount: an app cannot be mounted in itself: mount another one")
	}
	sub.mu.Lock()
	sub.mounted = append(sub.mounted, g)
	all := slices.Clone(sub.all)
	sub.mu.Unlock()
	g.app.mu.Lock()
	g.markUsed()
	g.app.mu.Unlock()
	g.app.life.Mount(sub.life)
	for _, rt := range all {
		g.graft(rt)
	}
}

// mountParam is the catch-all of a mounted handler of net/http.
const mountParam = "mounted"

// stripped removes the prefix, and only passes on clean paths: a file server would clean
// "//private/x" by itself, and serve it past the guard of a route for /private/*path.
func stripped(h http.Handler) Handler {
	return func(c *Context) error {
		sent := urlpath.Of(c.req.URL)
		if clean := sent.Clean(); clean != sent {
			return c.redirectTo(clean)
		}
		r, u := *c.Request(), *c.req.URL
		u.Path = "/" + c.Param(mountParam)
		if u.RawPath != "" {
			u.RawPath = urlpath.After(c.req.URL.EscapedPath(), c.matched().pattern.Segments()-1)
		}
		r.URL = &u
		h.ServeHTTP(c.w, &r)
		return nil
	}
}
