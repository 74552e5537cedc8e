package nextrush

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/record"
	"github.com/nextrush/nextrush/internal/route"
	"github.com/nextrush/nextrush/websocket"
)

// upgrade accepts the socket, runs the WSUse chain, and opens it.
func (a *App) upgrade(c *Context, shared *socketRoute) error {
	rt := c.matched()
	h, err := a.sockets.Namespace(c.namespace(rt)).Accept(c.w, shared.request(c, a))
	if err != nil {
		return err
	}
	if admitted, err := runWSUse(h, c, rt.wsChain()); !admitted {
		if err != nil {
			a.logRefusal(c, err)
		}
		return err
	}
	kept := c.detach(h.Socket().Context())
	if err := h.Open(func(s *websocket.Socket) error { return closeError(shared.handler(s, kept)) }); err != nil {
		return c.openFailed(err)
	}
	return nil
}

// closeError turns an HTTPError below 500, which is meant for the client, into a
// close with 4000 and its status: 4404 for a room that does not exist.
func closeError(err error) error {
	var he *HTTPError
	var end *websocket.CloseError
	if errors.As(err, &end) || !errors.As(err, &he) || he.Status < 400 || he.Status > 499 {
		return err
	}
	reason := cmp.Or(he.Message, http.StatusText(he.Status))
	return &websocket.CloseError{Code: 4000 + websocket.StatusCode(he.Status), Reason: reason, Err: err}
}

// runWSUse runs the chain of WSUse, and refuses the socket if that does not come to its
// end. Middleware that has answered by itself does so without an error.
func runWSUse(h *websocket.Handshake, c *Context, chain []WSMiddleware) (admitted bool, err error) {
	defer func() { // also on the way up of a panic
		if !admitted {
			h.Refuse()
		}
	}()
	reached := false
	var run func(i int) error
	run = func(i int) error {
		if i == len(chain) {
			reached = true
			return nil
		}
		return chain[i](h.Socket(), c, func() error { return run(i + 1) })
	}
	if err := run(0); err != nil {
		return false, err
	}
	if !reached && c.StatusCode() == 0 {
		err = NewError(http.StatusForbidden)
	}
	return reached, err
}

// logRefusal says why the WSUse chain refused: a page learns nothing of it but
// that the connection closed with 1006.
func (a *App) logRefusal(c *Context, err error) {
	if skipped, due := a.refusals.Due("WSUse"); due {
		c.Log().Warn("websocket: upgrade refused by WSUse", "error", err, "more", skipped)
	}
}

// openFailed tells a refusal, which is answered, from a connection that is gone.
func (c *Context) openFailed(err error) error {
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		return record.Lacks(c.w, "Hijack", err)
	}
	c.Log().Debug("websocket not opened", "error", err)
	return nil
}

// detach copies c for a WebSocket handler, which runs beside the middleware that
// still holds c. The copy's writer writes nothing: the connection is no longer
// net/http's, and keeping its writer would keep its buffers.
func (c *Context) detach(ctx context.Context) *Context {
	d := &Context{app: c.app, req: c.Request().WithContext(ctx), endpoint: c.endpoint, params: c.params}
	d.out = record.Gone()
	d.w = &d.out
	d.extras = &extras{id: c.ID(), query: c.needExtras().query, values: maps.Clone(c.needExtras().values)}
	return d
}

// socketRoute is what the sockets of one registration share.
type socketRoute struct {
	handler WSHandler
	pace    *pace.Pace
	base    atomic.Pointer[socketBase]
}

// socketBase is the context of sockets to whose request nobody has added
// anything: server carries the server alone, paced the pace of the handler as well.
type socketBase struct{ server, paced context.Context }

// request is the request as the engine gets it, with the pace of the handler and, if
// that is not owner, the app that serves. A socket would keep the context that net/http
// made; if nobody has put anything into it, all sockets of the route share a lighter one.
func (r *socketRoute) request(c *Context, owner *App) *http.Request {
	ctx := c.req.Context()
	with := func(ctx context.Context) context.Context {
		if c.app != owner {
			ctx = context.WithValue(ctx, servingKey{}, c.app)
		}
		return pace.With(ctx, r.pace)
	}
	server := c.app.server.Context()
	if c.replaced || server == nil || server.Value(http.ServerContextKey) != ctx.Value(http.ServerContextKey) {
		return c.Request().WithContext(with(ctx))
	}
	b := r.base.Load()
	if b == nil || b.server != server {
		b = &socketBase{server, with(server)}
		r.base.Store(b)
	}
	return c.Request().WithContext(b.paced)
}

// wsChain is the WebSocket middleware from the app's down to this group's.
func (g *routes) wsChain() []WSMiddleware {
	if g.parent == nil {
		return slices.Clip(g.wsMiddleware)
	}
	return append(g.parent.wsChain(), g.wsMiddleware...)
}

func (r *Route) wsChain() []WSMiddleware {
	if r.inner == nil {
		return r.group.wsChain()
	}
	return append(r.group.wsChain(), r.inner.wsChain()...)
}

type servingKey struct{}

// serving is the app that serves a request for sockets of a, under whose options they
// are: a, or one in which a is mounted.
func (a *App) serving(r *http.Request) *App {
	if app, ok := r.Context().Value(servingKey{}).(*App); ok {
		return app
	}
	return a
}

// namespace is the prefix that names the namespace of the route's sockets, with the
// names of its parameters, or false for the default one.
func (r *Route) namespace() (prefix string, named bool) {
	if r.inner != nil {
		if prefix, named := r.inner.namespace(); named {
			return r.group.prefix + prefix, true
		}
	}
	for g := r.group; g != nil; g = g.parent {
		if g.namespace {
			return g.prefix, true
		}
	}
	return "", false
}

// namespace is the name of the namespace of the route's sockets for the request.
func (c *Context) namespace(rt *Route) string {
	prefix, named := rt.namespace()
	if !named {
		return ""
	}
	host := ""
	if rt.host != nil {
		host = strings.ToLower(strings.TrimSuffix(c.Hostname(), "."))
	}
	return host + route.Expand(prefix, c.Param)
}

// Hijack takes the connection from the server, for a protocol that goes on after the
// handler has returned. Nothing has been written to conn, which first reads what the
// client has sent already. The caller closes conn. An error is an *HTTPError for the
// handler to return; over HTTP/2 there is always one.
//
// Shutdown waits until conn is closed. It ends the context closing of each of these
// connections at a different moment, so that their clients do not all come back at once.
// A connection that is still open when Shutdown's time is up is cut, and that is an error
// of Shutdown.
func (c *Context) Hijack() (conn net.Conn, closing context.Context, err error) {
	if c.req.ProtoMajor != 1 {
		return nil, nil, NewError(http.StatusBadRequest, "this needs HTTP/1.1")
	}
	conn, closing, err = c.app.server.Hijack(c.w)
	switch {
	case err == http.ErrServerClosed:
		err = NewError(http.StatusServiceUnavailable, "the server is shutting down")
	case err != nil:
		err = NewError(http.StatusInternalServerError, "the connection cannot be taken over").WithCause(err)
	}
	return conn, closing, err
}
