package nextrush

import (
	"context"
	"errors"
	"maps"
	"net/http"

	"github.com/nextrush/nextrush/websocket"
)

// WSHandler serves a socket after the 101, in a goroutine of its own. An error
// closes the socket with 1011, a *websocket.CloseError with its own code; nil
// leaves it open.
type WSHandler func(s *websocket.Socket, c *Context) error

// WSMiddleware runs before the 101, on the way to a WSHandler. An error, or not
// calling next, refuses the upgrade: with the status of an *HTTPError, 500 for
// another error, 403 for none.
type WSMiddleware func(s *websocket.Socket, c *Context, next func() error) error

// WebSocket is the plugin that makes [App.WS] work.
func WebSocket(opts websocket.Options) Plugin { return webSocketPlugin{opts} }

// EnableWebSocket registers the plugin WebSocket. It panics when it has been
// registered before, and on a mistake in the options.
func (a *App) EnableWebSocket(opts websocket.Options) *App {
	if err := a.install(WebSocket(opts)); err != nil {
		panic(err.Error())
	}
	return a
}

type webSocketPlugin struct{ opts websocket.Options }

func (p webSocketPlugin) Name() string { return "websocket" }

// Install gives the app its sockets; the app itself drains them at shutdown.
func (p webSocketPlugin) Install(app *App) error {
	app.sockets = websocket.NewServer(app.webSocketOptions(p.opts))
	return nil
}

// webSocketOptions adds what the app knows and the caller left out.
func (a *App) webSocketOptions(o websocket.Options) websocket.Options {
	if o.Logger == nil {
		o.Logger = a.opts.Logger
	}
	if o.ClientIP == nil {
		o.ClientIP = a.clientIP
	}
	if o.SameOrigin == nil {
		o.SameOrigin = func(r *http.Request) string { return a.forwarded(r).String() }
	}
	if o.Validate == nil {
		o.Validate = a.validateEvent
	}
	return o
}

// validateEvent checks the payload of an event with the app's validator.
func (a *App) validateEvent(v any) error {
	err := a.validate(nil, v)
	var he *HTTPError
	if errors.As(err, &he) {
		return &websocket.EventError{Message: he.Message, Errors: he.Details}
	}
	return err
}

// WS registers a WebSocket route: a route for GET that upgrades. Middleware runs
// before, as for any other route; what is no upgrade is answered with 426.
func (g *routes) WS(path string, h WSHandler) {
	if h == nil {
		panic("nextrush: WS " + path + ": the handler is nil: give a function")
	}
	a := g.app
	a.mustSockets("WS " + path)
	g.Get(path, func(c *Context) error { return a.upgrade(c, h) }).socket = true
}

// WSUse adds middleware for all WebSocket routes.
func (a *App) WSUse(mw ...WSMiddleware) {
	for _, m := range mw {
		if m == nil {
			panic("nextrush: WSUse: a middleware is nil: give a function")
		}
	}
	a.wsMiddleware = append(a.wsMiddleware, mw...)
}

// WSBroadcast sends to everyone in the rooms, or to everyone where none is given.
// It is safe from any goroutine.
func (a *App) WSBroadcast(data any, rooms ...string) error {
	return a.mustSockets("WSBroadcast").Broadcast(data, rooms...)
}

// WSTo sends to everyone in a room. It is safe from any goroutine.
func (a *App) WSTo(room string) websocket.Emitter { return a.mustSockets("WSTo").To(room) }

// WebSocketStats returns a snapshot of the counters. It is safe from any goroutine.
func (a *App) WebSocketStats() websocket.Stats { return a.mustSockets("WebSocketStats").Stats() }

// WebSocketConnections lists the open sockets. It is safe from any goroutine.
func (a *App) WebSocketConnections() []*websocket.Socket {
	return a.mustSockets("WebSocketConnections").Sockets()
}

// WebSockets returns the server behind the app's sockets: rooms, a socket by its
// id. It is safe from any goroutine.
func (a *App) WebSockets() *websocket.Server { return a.mustSockets("WebSockets") }

func (a *App) mustSockets(what string) *websocket.Server {
	if a.sockets == nil {
		panic("nextrush: " + what + ": WebSockets are not enabled: add the line app.EnableWebSocket(websocket.Options{}) before")
	}
	return a.sockets
}

// upgrade accepts the socket, runs the WSUse chain, and opens it.
func (a *App) upgrade(c *Context, h WSHandler) error {
	s, err := a.sockets.Accept(c.w, c.lightRequest())
	if err != nil {
		return err
	}
	admitted, err := a.admit(s, c)
	if !admitted {
		s.Refuse()
		return err
	}
	kept := c.detach(s.Context())
	if err := s.Open(func(s *websocket.Socket) error { return h(s, kept) }); err != nil {
		return c.openFailed(err)
	}
	c.rw.status, c.rw.hijacked = http.StatusSwitchingProtocols, true
	return nil
}

// lightRequest is the request without the context that net/http made, which the
// socket would keep, where nobody has put anything into it.
func (c *Context) lightRequest() *http.Request {
	light := c.app.life.light()
	if c.own || light == nil || light.Value(http.ServerContextKey) != c.req.Context().Value(http.ServerContextKey) {
		return c.req
	}
	return c.req.WithContext(light)
}

// admit runs the WSUse chain. A panic in it refuses the socket on its way up, and
// what has answered by itself does so without an error.
func (a *App) admit(s *websocket.Socket, c *Context) (admitted bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			s.Refuse()
			panic(v)
		}
	}()
	var run func(i int) error
	run = func(i int) error {
		if i == len(a.wsMiddleware) {
			admitted = true
			return nil
		}
		return a.wsMiddleware[i](s, c, func() error { return run(i + 1) })
	}
	if err := run(0); err != nil {
		return false, err
	}
	if !admitted && !c.Written() {
		err = NewError(http.StatusForbidden)
	}
	return admitted, err
}

// openFailed tells a refusal, which is answered, from a connection that is gone.
func (c *Context) openFailed(err error) error {
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		return err
	}
	c.rw.status, c.rw.hijacked = http.StatusSwitchingProtocols, true
	c.Log().Debug("websocket not opened", "error", err)
	return nil
}

// detach copies c for a WebSocket handler, which runs beside the middleware that
// still holds c. The copy's writer writes nothing: the connection is no longer
// net/http's, and keeping its writer would keep its buffers.
func (c *Context) detach(ctx context.Context) *Context {
	d := &Context{app: c.app, req: c.req.WithContext(ctx), params: c.params}
	d.rw = response{ResponseWriter: noWriter{make(http.Header)}, match: c.rw.match, status: http.StatusSwitchingProtocols, hijacked: true}
	d.w = &d.rw
	d.more = &more{id: c.ID(), query: c.extra().query, values: maps.Clone(c.extra().values)}
	return d
}

// noWriter is the response of a connection that has become a WebSocket.
type noWriter struct{ header http.Header }

func (w noWriter) Header() http.Header       { return w.header }
func (noWriter) WriteHeader(int)             {}
func (noWriter) Write(b []byte) (int, error) { return 0, http.ErrHijacked }
