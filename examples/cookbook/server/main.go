// Command server is what the recipes for operations run: a page with a socket that shows
// what the server knows about its visitor.
//
//	go run ./examples/cookbook/server   # then open http://localhost:3000
package main

import (
	"embed"
	"flag"
	"log"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/health"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js
var page embed.FS

var (
	addr  = flag.String("addr", ":3000", "`address` to listen on")
	trust = flag.String("trust", "loopback", "`proxies` whose X-Forwarded headers count, with commas between them")
	hosts = flag.String("hosts", "", "`names` to answer for, with commas between them; empty: any")
	drain = flag.Duration("drain", 0, "how long to serve after /readyz has begun to fail")
)

func newApp() *nextrush.App {
	app := nextrush.New(nextrush.Options{
		TrustedProxies:  list(*trust),
		ShutdownTimeout: *drain + 20*time.Second,
	})
	app.Register(health.New(health.Options{DrainDelay: *drain}))
	app.Use(middleware.Production())
	if names := list(*hosts); len(names) > 0 {
		app.Use(middleware.HostFilter(names...))
	}
	app.EnableWebSocket(websocket.Options{})
	app.Register(client.New(), static.FS("/", page))
	app.Get("/me", func(c *nextrush.Context) error { return c.Text(visitor(c)) })
	app.Post("/me", func(c *nextrush.Context) error { return c.Redirect("/", 303) })
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		return s.Emit("visitor", visitor(c))
	})
	return app
}

func list(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }

// visitor is his address and the origin that his browser shows.
func visitor(c *nextrush.Context) string { return c.IP() + " " + c.Scheme() + "://" + c.Host() }

func main() {
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
