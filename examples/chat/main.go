// Command chat is a chat server with a page: rooms, names, who is here.
//
//	go run ./examples/chat
//	# then open http://localhost:3000 in two windows
package main

import (
	_ "embed"
	"errors"
	"flag"
	"log"
	"slices"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html
var page string

// joinRequest is the first event of a client, and the query of its upgrade.
type joinRequest struct {
	Name string `query:"name" validate:"required,max=32"`
}

type chatInput struct {
	Text string `json:"text" validate:"required,max=2000"`
}

type chatMessage struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Text string `json:"text"`
	At   int64  `json:"at"` // Unix milliseconds
}

type typingInput struct {
	Typing bool `json:"typing"`
}

type person struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.RequestID(), middleware.Recover())
	app.EnableWebSocket(websocket.Options{
		MaxMessageSize: 16 << 10,
		RateLimit:      websocket.RateLimit{Messages: 20, Burst: 40},
	})
	app.Get("/", func(c *nextrush.Context) error { return c.HTML(page) })
	app.Get("/api/websocket/stats", func(c *nextrush.Context) error { return c.JSON(app.WebSocketStats()) })
	app.WS("/chat/:room", func(s *websocket.Socket, c *nextrush.Context) error { return join(app, s, c) })
	return app
}

// join lets a socket into the room of its path.
func join(app *nextrush.App, s *websocket.Socket, c *nextrush.Context) error {
	var in joinRequest
	if err := c.Bind(&in); err != nil {
		return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "a name of 1 to 32 characters is needed"}
	}
	room := c.Param("room")
	s.Set("name", in.Name)
	if err := s.Join(room); err != nil {
		if errors.Is(err, websocket.ErrRoomName) {
			return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: err.Error()}
		}
		return err
	}
	announce := func() { app.WSTo(room).Emit("people", people(app, room)) }

	websocket.On(s, "chat", func(s *websocket.Socket, in chatInput) error {
		return app.WSTo(room).Emit("chat", chatMessage{s.ID(), name(s), in.Text, time.Now().UnixMilli()})
	})
	websocket.On(s, "typing", func(s *websocket.Socket, in typingInput) error {
		return s.To(room).Volatile().Emit("typing", map[string]any{"name": name(s), "typing": in.Typing})
	})
	s.OnClose(func(websocket.StatusCode, string) { announce() })

	s.Emit("welcome", person{s.ID(), in.Name})
	announce()
	return nil
}

func name(s *websocket.Socket) string {
	name, _ := s.Get("name").(string)
	return name
}

// people lists who is in a room, by name.
func people(app *nextrush.App, room string) []person {
	list := []person{}
	for _, s := range app.WebSocketConnections() {
		if slices.Contains(s.Rooms(), room) {
			list = append(list, person{s.ID(), name(s)})
		}
	}
	slices.SortFunc(list, func(a, b person) int {
		switch {
		case a.Name < b.Name:
			return -1
		case a.Name > b.Name:
			return 1
		}
		return 0
	})
	return list
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
