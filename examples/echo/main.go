// Command echo is the smallest server: it sends back what it receives.
//
//	go run ./examples/echo
//	go run ./cmd/nextrush ws ws://localhost:3000/echo   # in a second terminal
package main

import (
	"flag"
	"log"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

func newApp() *nextrush.App {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{MaxConnections: 100})
	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.Send("Welcome!")
		s.OnMessage(func(m websocket.Message) { s.Send("Echo: " + m.Text()) })
		return nil
	})
	return app
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
