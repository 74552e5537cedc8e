package nextrush

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/websocket"
)

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
		o.ClientIP = func(r *http.Request) string { return a.serving(r).proxies.Client(r) }
	}
	if o.SameOrigin == nil {
		o.SameOrigin = func(r *http.Request) string {
			scheme, host := a.serving(r).proxies.Origin(r)
			return scheme + "://" + host
		}
	}
	own := o.TrustOrigin
	o.TrustOrigin = func(r *http.Request, origin string) bool {
		return a.serving(r).TrustsOrigin(r, origin) || own != nil && own(r, origin)
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
	switch {
	case !errors.As(err, &he):
		return err
	case he.Status >= 500: // a rule that has panicked
		a.Log().Error("event not validated", "error", err)
		return err
	}
	return &websocket.EventError{Message: he.Message, Errors: he.Details}
}

// WS registers a WebSocket route: a route for GET that upgrades. Middleware runs
// before, as for any other route. A request that is not an upgrade gets 426.
func (g *routes) WS(path string, h WSHandler) {
	if h == nil {
		panic("nextrush: WS " + path + ": the handler is nil: give a function")
	}
	a := g.app
	a.mustSockets("WS " + path)
	shared := &socketRoute{handler: h}
	registered := g.Get(path, func(c *Context) error { return a.upgrade(c, shared) })
	registered.socket, shared.pace = true, pace.New(registered.Path())
}

// WSUse adds middleware for the WebSocket routes of an App or a Group, those of mounted
// Apps among them. The App's runs first, then that of outer groups, then that of inner
// ones. It makes no difference whether a route was registered before or after.
func (g *routes) WSUse(mw ...WSMiddleware) {
	for _, m := range mw {
		if m == nil {
			panic("nextrush: WSUse: a middleware is nil: give a function")
		}
	}
	g.wsMiddleware = append(g.wsMiddleware, mw...)
}

// Namespace makes a group whose WebSocket routes have rooms of their own: their sockets
// are in the [websocket.Namespace] named by the prefix as the request has it, with the
// prefixes of outer groups. Under "/t/:tenant" each tenant has its own rooms, those of
// "/t/acme" say; in a parameter, a slash is written "%2F" and a percent sign "%25". In a
// group of Host, the host of the request comes first: "acme.example.com/chat".
// [NamespaceOf] finds it. Of several around a route the innermost counts. A Group does
// not change the namespace, and neither does an App that is mounted in one.
func (g *routes) Namespace(prefix string, handlers ...Handler) *Group {
	ns := g.Group(prefix, handlers...)
	switch {
	case ns.prefix == "" && ns.host == nil:
		panic(fmt.Sprintf("nextrush: Namespace %q: give a prefix to name it by, as in /chat", prefix))
	case strings.Contains(ns.prefix, "*"):
		panic(fmt.Sprintf("nextrush: Namespace %q: name the part that tells namespaces apart, as in /:tenant, instead of a catch-all", prefix))
	}
	new(Route).place(ns.host, ns.join("")) // which panics on a mistake
	ns.namespace = true
	return ns
}

// NamespaceOf returns the namespace of the sockets that connect to where c's route is:
// in a group made by Namespace that of the request, else the default one. The request
// need not be for a socket.
func NamespaceOf(c *Context) *websocket.Namespace {
	app, name := c.app, ""
	if rt := c.matched(); rt != nil {
		app, name = rt.original().group.app, c.namespace(rt) // a mounted app has sockets of its own
	}
	return app.mustSockets("NamespaceOf").Namespace(name)
}

// WSBroadcast sends to everyone in the rooms of the default namespace, or to everyone in
// all namespaces if none is given. It is safe from any goroutine.
func (a *App) WSBroadcast(data any, rooms ...string) error {
	return a.mustSockets("WSBroadcast").Broadcast(data, rooms...)
}

// WSTo sends to everyone in a room of the default namespace. It is safe from any goroutine.
func (a *App) WSTo(room string) websocket.Emitter { return a.mustSockets("WSTo").To(room) }

// WSAll sends to every socket, in all namespaces. It is safe from any goroutine.
func (a *App) WSAll() websocket.Emitter { return a.mustSockets("WSAll").All() }

// WebSocketStats returns a snapshot of the counters. It is safe from any goroutine.
func (a *App) WebSocketStats() websocket.Stats { return a.mustSockets("WebSocketStats").Stats() }

// WebSocketConnections lists the open sockets. It is safe from any goroutine.
func (a *App) WebSocketConnections() []*websocket.Socket {
	return a.mustSockets("WebSocketConnections").Sockets()
}

// WebSockets returns the server of the app's sockets, which has the rooms, and each
// socket by its id. It is safe from any goroutine.
func (a *App) WebSockets() *websocket.Server { return a.mustSockets("WebSockets") }

func (a *App) mustSockets(what string) *websocket.Server {
	if a.sockets == nil {
		panic("nextrush: " + what + ": WebSockets are not enabled: add the line app.EnableWebSocket(websocket.Options{}) before")
	}
	return a.sockets
}
