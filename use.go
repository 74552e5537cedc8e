package nextrush

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/nextrush/nextrush/internal/route"
)

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
