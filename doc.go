// Package nextrush is a web framework in the manner of Express with WebSockets
// built in. One [App] serves app.Get and app.WS side by side, behind the same
// middleware.
//
//	app := nextrush.New()
//	app.Get("/users/:id", func(c *nextrush.Context) error {
//		return c.JSON(map[string]string{"id": c.Param("id")})
//	})
//	log.Fatal(app.Listen(":3000"))
//
// An App is an http.Handler, and handlers and middleware of net/http run in it:
// see [WrapHandler] and [WrapMiddleware].
package nextrush
