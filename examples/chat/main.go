// Command chat is a chat server with a page: rooms, names, and who is there.
//
//	go run ./examples/chat
//	# then open http://localhost:3000 in two windows
package main

import (
	"cmp"
	"embed"
	"errors"
	"flag"
	"log"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

// joinRequest is the query of an upgrade.
type joinRequest struct {
	Name string `query:"name" validate:"required,max=32"`
}

type chatInput struct {
	Text string `json:"text" validate:"required,max=2000"`
}

type chatMessage struct {
	ID   string `json:"id"` // of the sender
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

type chat struct {
	mu sync.Mutex // held while announcing, so that the last list sent is the newest
}

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		MaxMessageSize: 16 << 10,
		RateLimit:      websocket.RateLimit{Messages: 20, Burst: 40},
	})
	app.Register(static.FS("/", page))
	app.Get("/api/websocket/stats", func(c *nextrush.Context) error { return c.JSON(app.WebSocketStats()) })
	app.Namespace("/chat").WS("/:room", new(chat).join)
	return app
}

// join lets a socket into the room of its path.
func (ch *chat) join(s *websocket.Socket, c *nextrush.Context) error {
	var in joinRequest
	err := c.Bind(&in)
	name, room := strings.Join(strings.Fields(in.Name), " "), c.Param("room")
	if err != nil || name == "" {
		return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "a name of 1 to 32 characters is needed"}
	}
	s.Set("name", name)
	s.OnClose(func(websocket.StatusCode, string) { ch.announce(s.Namespace(), room) })
	websocket.On(s, "chat", func(s *websocket.Socket, in chatInput) error {
		return s.Namespace().To(room).Emit("chat", chatMessage{s.ID(), name, in.Text, time.Now().UnixMilli()})
	})
	websocket.On(s, "typing", func(s *websocket.Socket, in typingInput) error {
		return s.To(room).Volatile().Emit("typing", map[string]any{"id": s.ID(), "typing": in.Typing})
	})

	s.Emit("welcome", person{s.ID(), name})
	if err := s.Join(room); errors.Is(err, websocket.ErrRoomName) {
		return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: err.Error()}
	} else if err != nil {
		return err
	}
	ch.announce(s.Namespace(), room)
	return nil
}

// announce tells a room who is in it. A socket leaves its rooms before its OnClose runs.
func (ch *chat) announce(ns *websocket.Namespace, room string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	people := []person{}
	for _, s := range ns.SocketsIn(room) {
		name, _ := websocket.Value[string](s, "name")
		people = append(people, person{s.ID(), name})
	}
	slices.SortFunc(people, func(a, b person) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	ns.To(room).Emit("people", people)
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
