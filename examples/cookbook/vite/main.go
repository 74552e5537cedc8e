// Command vite serves a front end that Vite has built, and what that asks for.
//
//	cd examples/cookbook/vite && npm install
//	go run . -dev http://localhost:5173 &   # while you write: Vite serves the page
//	npm run dev                             # then open http://localhost:5173
//
//	npm run build && go run .               # the built page, at http://localhost:3000
package main

import (
	"flag"
	"log"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

var (
	addr = flag.String("addr", ":3000", "`address` to listen on")
	dev  = flag.String("dev", "", "`origin` of Vite's development server, which serves the page instead")
)

func newApp() *nextrush.App {
	options := nextrush.Options{}
	if *dev != "" {
		options.TrustedOrigins = []string{*dev}
	}
	app := nextrush.New(options)
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{})
	app.Get("/api/hello", func(c *nextrush.Context) error { return c.JSON("Hello from Go") })
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		websocket.On(s, "say", func(s *websocket.Socket, text string) error { return s.Emit("said", text) })
		return nil
	})
	if *dev == "" {
		app.Register(static.New("/", "dist", static.Options{
			SPA:       true,
			Immutable: func(name string) bool { return strings.HasPrefix(name, "assets/") },
		}))
	}
	return app
}

func main() {
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
