// Command dashboard shows live what a server does: messages, sockets, the times of its
// callbacks, and what the process itself uses.
//
//	go run ./examples/dashboard -crowd 100   # then open http://localhost:3000
//
// With -crowd it has visitors of its own, of whom some do not read.
//
// Ten times a second everybody who watches is sent the same frame, which is encoded once.
// It is volatile: a frame that a viewer is too slow for is left out, and since each has
// counts since the start, the next one makes up for it. 300 viewers cost about 8 % of a
// core here, as benchmarks/cmd/viewers measures.
//
// Everybody may watch, so the page shows no addresses. Disconnecting a socket is for
// who has the token that the program prints when it starts, or that ADMIN_TOKEN gives
// it. Pages of other sites can do neither: the origin of a socket is checked, and CSRF
// refuses their requests. For a page about your own users, put all of it behind a login,
// as examples/auth does.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"embed"
	"flag"
	"log"
	"net/http"
	"os"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js chart.js table.js style.css
var page embed.FS

// disconnected is the close code of a socket that was disconnected from the page. Clients
// do not come back after codes that stand for an HTTP status of 4xx, as 403.
const disconnected = 4403

func newApp(token string) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production(), middleware.CSRF())
	app.EnableWebSocket(websocket.Options{
		TimeEvents:   true,
		Compression:  websocket.Compression{Enabled: true},
		RateLimit:    websocket.RateLimit{Messages: 100, Burst: 200},
		PingInterval: 5 * time.Second, // so that round trips show soon
		PongTimeout:  time.Minute,     // who does not read is to show, too
		WriteTimeout: time.Minute,
	})
	app.Register(client.New(), static.FS("/", page))
	d := &dashboard{app: app, process: newProcess(), start: time.Now(), stats: []websocket.Stats{{}}}
	app.WS("/live", d.watch)
	app.WS("/play/:room", play)

	admin := app.Group("/admin", middleware.BearerAuth(middleware.BearerAuthOptions{Tokens: map[string]string{token: "admin"}}))
	admin.Get("", func(c *nextrush.Context) error { return c.NoContent() }) // tells whether the token is right
	admin.Delete("/sockets/:id", d.disconnect)

	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan struct{})
	app.OnStart(func(context.Context) error {
		d.tick() // so that there is something to see for whoever comes first
		go func() {
			defer close(stopped)
			d.run(ctx)
		}()
		return nil
	})
	app.OnShutdown(func(context.Context) error {
		stop()
		<-stopped
		return nil
	})
	return app
}

// disconnect ends a socket for good.
func (d *dashboard) disconnect(c *nextrush.Context) error {
	s := d.app.WebSockets().Socket(c.Param("id"))
	if s == nil {
		return nextrush.NewError(http.StatusNotFound, "the socket has gone")
	}
	if err := s.Dismiss(disconnected, "disconnected by an administrator"); err != nil {
		return err
	}
	return c.NoContent()
}

func main() {
	addr := flag.String("addr", "localhost:3000", "address to listen on")
	crowd := flag.Int("crowd", 0, "visitors that the program makes up")
	flag.Parse()
	token := cmp.Or(os.Getenv("ADMIN_TOKEN"), rand.Text())
	app := newApp(token)
	if os.Getenv("ADMIN_TOKEN") == "" {
		log.Print("the token to disconnect sockets is ", token)
	}
	if *crowd > 0 {
		go visit("ws://"+*addr, *crowd)
	}
	if err := app.Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
