package nextrush

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nextrush/nextrush/websocket"
)

// WSHandler handles a socket after the 101, in a goroutine of its own; messages
// are read when it has returned or calls Receive. An error closes the socket:
// with its own code where it is a *websocket.CloseError, with 1011 otherwise.
type WSHandler func(s *websocket.Socket, c *Context) error

// WSMiddleware runs before the 101. What it sends is queued, what it joins
// takes effect on the 101, and an error, or not calling next, refuses the
// upgrade with a real HTTP status.
type WSMiddleware func(s *websocket.Socket, c *Context, next func() error) error

const missingWebSocket = "nextrush: %s: add app.EnableWebSocket(websocket.Options{}) before it"

// WebSocket is the plugin that gives an App sockets.
func WebSocket(opts websocket.Options) Plugin { return &socketPlugin{opts} }

type socketPlugin struct{ opts websocket.Options }

func (p *socketPlugin) Name() string { return "websocket" }

func (p *socketPlugin) Install(a *App) error {
	o := p.opts
	if o.ClientIP == nil {
		o.ClientIP = a.clientIP
	}
	if o.SameOrigin == nil {
		o.SameOrigin = func(r *http.Request) string { return a.scheme(r) + "://" + a.host(r) }
	}
	if o.Validate == nil {
		o.Validate = a.valid.check
	}
	if o.Logger == nil {
		o.Logger = a.opts.Logger
	}
	a.sockets = websocket.NewServer(o)
	return nil
}

// EnableWebSocket is app.Register(nextrush.WebSocket(opts)).
func (a *App) EnableWebSocket(opts websocket.Options) *App { return a.Register(WebSocket(opts)) }

// WebSockets is the server behind the App's sockets. It panics where
// EnableWebSocket was not called.
func (a *App) WebSockets() *websocket.Server { return a.needSockets("WebSockets()") }

func (a *App) needSockets(what string) *websocket.Server {
	if a.sockets == nil {
		panic(fmt.Sprintf(missingWebSocket, what))
	}
	return a.sockets
}

// WS registers a WebSocket route: a GET route whose handlers run before the
// upgrade, as for any other route. A plain GET to it is answered with 426.
func (g *Group) WS(path string, h WSHandler) *Route {
	srv := g.app.needSockets(fmt.Sprintf("WS(%q)", path))
	if h == nil {
		panic(fmt.Sprintf("nextrush: WS(%q): handler is nil", path))
	}
	r := g.add(http.MethodGet, path, []Handler{func(c *Context) error { return c.upgrade(srv, h) }})
	r.socket = true
	return r
}

// WSUse adds middleware for all WebSocket routes.
func (a *App) WSUse(mw ...WSMiddleware) {
	a.needSockets("WSUse")
	for i, m := range mw {
		if m == nil {
			panic(fmt.Sprintf("nextrush: WSUse: middleware %d is nil", i+1))
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wsUse = append(a.wsUse[:len(a.wsUse):len(a.wsUse)], mw...)
}

// upgrade makes a socket of the request.
func (c *Context) upgrade(srv *websocket.Server, h WSHandler) error {
	s, err := srv.Accept(c.w, c.req)
	if err != nil {
		return err
	}
	c.app.mu.Lock()
	chain := c.app.wsUse
	c.app.mu.Unlock()
	open := false
	if err := c.runWSUse(s, chain, &open); err != nil {
		s.Refuse()
		return err
	}
	if !open {
		s.Refuse()
		return NewError(http.StatusForbidden, "refused")
	}
	err = s.Open(func(s *websocket.Socket) error { return h(s, c) })
	var refused *websocket.HandshakeError
	c.rw.hijacked = !errors.As(err, &refused)
	return err
}

// runWSUse runs the middleware; a panic in it refuses the upgrade.
func (c *Context) runWSUse(s *websocket.Socket, chain []WSMiddleware, open *bool) error {
	defer func() {
		if v := recover(); v != nil {
			s.Refuse()
			panic(v)
		}
	}()
	i := 0
	var next func() error
	next = func() error {
		if i == len(chain) {
			*open = true
			return nil
		}
		m := chain[i]
		i++
		return m(s, c, next)
	}
	return next()
}

// WSBroadcast sends to everyone in the rooms, or to every socket where none is
// given; see websocket.Socket.Send for what data may be.
func (a *App) WSBroadcast(data any, rooms ...string) error {
	return a.needSockets("WSBroadcast").Broadcast(data, rooms...)
}

// WSTo sends to everyone in a room: app.WSTo("a").To("b").Emit("tick", 1).
func (a *App) WSTo(room string) websocket.Emitter { return a.needSockets("WSTo").To(room) }

// WebSocketStats is a snapshot of the counters.
func (a *App) WebSocketStats() websocket.Stats { return a.needSockets("WebSocketStats").Stats() }

// WebSocketConnections lists the open sockets.
func (a *App) WebSocketConnections() []*websocket.Socket {
	return a.needSockets("WebSocketConnections").Sockets()
}
