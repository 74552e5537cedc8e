// Command demo shows the WebSocket features on one page, on port 3001.
//
//	go run ./examples/demo
//	# then open http://localhost:3001, or check it: go run ./examples/demo/client
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

// message is what clients of /echo send.
type message struct {
	Type      string `json:"type"`
	Text      string `json:"text,omitempty"`
	Timestamp int64  `json:"timestamp,omitempty"` // Unix milliseconds
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{})
	app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		s.Set("connectedAt", time.Now())
		return next()
	})
	app.Register(client.New(), static.FS("/", page))
	app.Get("/api/websocket/stats", func(c *nextrush.Context) error { return c.JSON(app.WebSocketStats()) })
	app.WS("/echo", echo)
	app.WS("/chat", chat)
	return app
}

// echo answers JSON messages according to their type.
func echo(s *websocket.Socket, c *nextrush.Context) error {
	s.Send(map[string]any{"type": "welcome", "id": s.ID(), "message": "Welcome to the demo"})
	s.OnMessage(func(m websocket.Message) {
		var in message
		if err := m.JSON(&in); err != nil {
			s.Send(map[string]any{"type": "error", "message": "messages are JSON objects"})
			return
		}
		now := time.Now().UnixMilli()
		switch in.Type {
		case "echo":
			s.Send(message{Type: "echo", Text: in.Text, Timestamp: now})
		case "ping":
			s.Send(message{Type: "pong", Timestamp: now})
		default:
			s.Send(map[string]any{"type": "error", "message": "unknown message type: " + in.Type})
		}
	})
	return nil
}

// chat passes messages on to everyone else in the room.
func chat(s *websocket.Socket, c *nextrush.Context) error {
	if err := s.Join("general"); err != nil {
		return err
	}
	s.OnMessage(func(m websocket.Message) {
		var in message
		if m.JSON(&in) != nil || in.Type != "chat" {
			return
		}
		s.To("general").Send(map[string]any{
			"type": "chat", "user": s.ID(), "text": in.Text, "timestamp": time.Now().UnixMilli(),
		})
	})
	return nil
}

func main() {
	addr := flag.String("addr", ":3001", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
