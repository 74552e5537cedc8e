// Command presence shows on a page who else has it open.
//
//	go run ./examples/cookbook/presence
//	# then open http://localhost:3000 in two windows
package main

import (
	"embed"
	"flag"
	"log"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

type visit struct {
	Name string `query:"name" validate:"required,max=40"`
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		RateLimit: websocket.RateLimit{Messages: 5, Burst: 20},
		Rooms:     websocket.Rooms{"page": {Presence: true}},
	})
	app.WS("/here", func(s *websocket.Socket, c *nextrush.Context) error {
		var in visit // whoever says a name has it: with a login, plugin auth says it instead
		if err := c.Bind(&in); err != nil {
			return err
		}
		if err := s.SetUser(in.Name, nil); err != nil {
			return err
		}
		return s.Join("page")
	})
	app.Get("/who", func(c *nextrush.Context) error {
		users, err := app.WebSockets().Presence(c.Context(), "page")
		if err != nil {
			return err
		}
		return c.NoCache().JSON(users)
	})
	app.Register(client.New(), static.FS("/", page))
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
