// Package nextrush is an Express-style web framework on net/http with
// WebSockets built in: one App serves app.Get and app.WS side by side, and the
// same middleware guards both.
//
//	app := nextrush.New()
//	app.Get("/users/:id", func(c *nextrush.Context) error {
//		return c.JSON(map[string]string{"id": c.Param("id")})
//	})
//	app.EnableWebSocket(websocket.Options{})
//	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
//		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
//		return nil
//	})
//	if err := app.Listen(":3000"); err != nil {
//		log.Fatal(err)
//	}
//
// A [Handler] returns an error, and one place answers all of them: see
// [Options.ErrorHandler]. Middleware is a Handler that calls [Context.Next].
// Mistakes at set-up panic with a text that names the mend; nothing a client
// sends does.
package nextrush
