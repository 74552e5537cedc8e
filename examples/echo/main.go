// Command echo is the smallest server: it sends back what it is sent.
//
//	go run ./examples/echo
//	# then connect to ws://localhost:3000/echo
package main

import (
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
	if err := newApp().Listen(":3000"); err != nil {
		log.Fatal(err)
	}
}
