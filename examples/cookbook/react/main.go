// Command react serves a page that Vite has built of React, and the socket it talks to.
//
//	cd examples/cookbook/react/web && npm install && npm run build && cd ..
//	go run . # then open http://localhost:3000 in two windows
package main

import (
	"context"
	"flag"
	"log"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

type wish struct {
	What string `json:"what" validate:"required,max=100"`
}

var (
	add   = asyncapi.Call[wish, bool]{Name: "add", Summary: "Adds to the list"}
	added = asyncapi.Event[wish]{Name: "added", Summary: "Somebody has added to the list"}
)

func newApp(dist string) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		Rooms: websocket.Rooms{"list": {History: websocket.History{Messages: 50}}},
	})
	app.WS("/list", func(s *websocket.Socket, _ *nextrush.Context) error {
		add.Handle(s, func(_ context.Context, _ *websocket.Socket, in wish) (bool, error) {
			return true, added.Emit(app.WSTo("list"), in)
		})
		return s.JoinLast(s.Context(), "list", 50)
	})
	app.Register(
		asyncapi.New(asyncapi.Options{Title: "List"}, asyncapi.Channel{
			Path:     "/list",
			Receives: []asyncapi.Message{add},
			Sends:    []asyncapi.Message{added},
		}),
		static.New("/", dist, static.Options{
			SPA:       true,
			Immutable: func(name string) bool { return strings.HasPrefix(name, "assets/") },
		}),
	)
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	dist := flag.String("dist", "web/dist", "folder that npm run build has made")
	flag.Parse()
	if err := newApp(*dist).Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
