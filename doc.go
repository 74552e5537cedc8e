// Package nextrush is a web framework in the manner of Express with WebSockets built
// in. One [App] serves app.Get and app.WS side by side, inside the same middleware.
//
//	app := nextrush.New()
//	app.Get("/users/:id", func(c *nextrush.Context) error {
//		return c.JSON(map[string]string{"id": c.Param("id")})
//	})
//	if err := app.Listen(":3000"); err != nil {
//		log.Fatal(err)
//	}
//
// # Handlers and the order of the chain
//
// A [Handler] takes a [Context], which is one request and its response, and returns an
// error. Middleware is a Handler too: it does its part, calls [Context.Next], and sees
// what the handlers after it returned. A request passes, in this order, the middleware
// of App.Use, that of each group from the outermost to the innermost, and the handlers
// of its route. What Use adds runs for every request, with or without a route, and
// whether the route was registered earlier or later; with a path before the handlers,
// for every request under it. [App.Pre] runs before a route is looked for, and may change
// method and path.
//
// An App is an http.Handler. [WrapHandler] and [WrapMiddleware] take in what is written
// for net/http; Context.Request and Context.Writer are the real ones.
//
// # Paths and precedence
//
// A path is made of segments: "users" matches itself, ":id" any segment that is not
// empty, "v:major" one that begins with v, and "*rest" at the end all that follows:
//
//	/users/new       static
//	/users/:id       parameter    c.Param("id")
//	/files/*path     catch-all    c.Param("path"), without the slash before it
//
// Of the routes that match a request, the first segment in which they differ decides:
// static before parameter before catch-all, in whatever order they were registered. Two
// routes that match exactly the same paths panic at registration, and the message names
// both places. GET answers HEAD, OPTIONS and 405 are automatic, and a path that only
// differs by a slash at its end is redirected.
//
// # Groups, hosts and mounts
//
// [App.Host] makes a group for requests to a host, whose own routes come before the app's.
// App.Group gives routes a prefix and middleware, App.With middleware alone. App.Mount
// takes another App, whose routes, middleware and life cycle become part of this one
// under this one's options, or an http.Handler for all requests under a prefix. Routes
// may have names, for [App.URL]; [App.Routes] lists them.
//
// # Binding and validation
//
// [Context.Bind] fills a struct, each field from the one source that its tag names:
// path, query, header, cookie, form, json or xml. Fields without a tag are never
// touched. It then validates the struct by its validate tags. [Handle] does both for a
// function of types, and answers with what it returns:
//
//	type rename struct {
//		ID    int    `path:"id"`
//		Title string `json:"title" validate:"required,max=100"`
//	}
//	app.Put("/books/:id", nextrush.Handle(func(c *nextrush.Context, in rename) (Book, error) {
//		return store.Rename(c.Context(), in.ID, in.Title)
//	}))
//
// # Errors
//
// The error that a handler returns is answered once, by Options.ErrorHandler. An
// [HTTPError] is sent as it is, except its cause; every other error is a 500 whose text
// goes to the log alone. The default body is application/problem+json (RFC 9457), or a
// page for browsers. A panic is an error with a stack, a [PanicError].
//
// # Responses
//
// Text, HTML, JSON, XML, CSV, Blob, Stream, File, Download, Redirect, Render, SSE and
// NoContent answer; Status sets the status of what follows. JSON is encoded before
// anything is sent, so a value that cannot be encoded is still a 500.
//
// # Sockets
//
// [App.EnableWebSocket] lets App.WS register WebSocket routes. A request for one passes
// the same middleware as any other, then the functions of App.WSUse and Group.WSUse, and
// is upgraded; an error until then is an HTTP answer. The handler runs after the upgrade,
// in a goroutine of its own. App.Namespace makes a group whose sockets have rooms of their
// own. Package websocket has the sockets, their events and rooms.
//
// # Plugins, start and stop
//
// A [Plugin] has state or a life cycle, or adds routes; [App.Register] installs it.
// [App.Listen] starts the plugins and the OnStart hooks, serves until SIGINT or SIGTERM,
// and shuts down: the BeforeShutdown hooks run while the app still serves, then requests
// and sockets end, then OnShutdown hooks and plugins stop in reverse order. [App.Serve],
// [App.Start] and [App.Shutdown] are for programs that do this themselves.
//
// # Concurrency
//
// Routes, middleware, plugins and hooks are for set-up, before the app serves. After
// that an App may be used from any goroutine. A Context is for one goroutine at a time,
// that of its request; it is never recycled, and may be kept.
package nextrush
