// Command history has logs whose last fifty entries everybody sees who comes.
//
//	go run ./examples/cookbook/history
//	# then open http://localhost:3000, write, and open it again
package main

import (
	"embed"
	"flag"
	"log"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

type entry struct {
	Text string `json:"text" validate:"required,max=500"`
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		RateLimit: websocket.RateLimit{Messages: 5, Burst: 20},
		Rooms: websocket.Rooms{
			"log:*": {History: websocket.History{Messages: 50, Age: 24 * time.Hour}},
		},
	})
	app.WS("/logs/:name", func(s *websocket.Socket, c *nextrush.Context) error {
		room := "log:" + c.Param("name")
		websocket.On(s, "write", func(s *websocket.Socket, in entry) error {
			return app.WSTo(room).Emit("entry", in)
		})
		return s.JoinLast(s.Context(), room, 50)
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
