// Command chat is a chat server with a page: rooms that remember what was said, who is
// there, and who is typing.
//
//	go run ./examples/chat
//	# then open http://localhost:3000 in two windows
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"log"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

// joinRequest is the query of an upgrade.
type joinRequest struct {
	Name string `query:"name" validate:"required,max=32"`
}

type sayInput struct {
	Text string `json:"text" validate:"required,max=2000"`
}

type message struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

var (
	say    = asyncapi.Call[sayInput, bool]{Name: "say", Summary: "Says something to the room"}
	said   = asyncapi.Event[message]{Name: "said", Summary: "Somebody has said something"}
	typing = asyncapi.Event[string]{Name: "typing", Summary: "Somebody is typing: the name, which clients leave empty"}
)

func newApp() *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		MaxMessageSize: 16 << 10,
		RateLimit:      websocket.RateLimit{Messages: 20, Burst: 40},
		Resume:         websocket.Resume{For: time.Minute},
		Rooms: websocket.Rooms{
			"*": {History: websocket.History{Messages: 100, Age: 24 * time.Hour}, Presence: true},
		},
	})
	rooms := app.Namespace("/chat")
	once := websocket.Once(10*time.Minute, 10_000) // what a client sends again, after a loss
	rooms.WSUse(func(s *websocket.Socket, _ *nextrush.Context, next func() error) error {
		s.UseEvents(once)
		return next()
	})
	rooms.WS("/:room", join)
	app.Register(client.New(), static.FS("/", page), asyncapi.New(asyncapi.Options{Title: "Chat"}, asyncapi.Channel{
		Path:     "/chat/:room",
		Receives: []asyncapi.Message{say, typing},
		Sends:    []asyncapi.Message{said, typing},
	}))
	return app
}

// join lets a socket into the room of its path. There is no login: whoever gives a name is
// that user, in as many windows as they like.
func join(s *websocket.Socket, c *nextrush.Context) error {
	var in joinRequest
	err := c.Bind(&in)
	name, room := strings.Join(strings.Fields(in.Name), " "), c.Param("room")
	if err != nil || name == "" {
		return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "a name of 1 to 32 characters is needed"}
	}
	if err := s.SetUser(name, nil); err != nil {
		return err
	}
	say.Handle(s, func(_ context.Context, s *websocket.Socket, in sayInput) (bool, error) {
		return true, said.Emit(s.Namespace().To(room), message{name, in.Text})
	})
	typing.On(s, func(s *websocket.Socket, _ string) error {
		return typing.Emit(s.To(room).Volatile(), name)
	})
	// Who has just come sees the last fifty messages, who comes back what it has missed.
	err = s.JoinLast(s.Context(), room, 50)
	if errors.Is(err, websocket.ErrRoomName) {
		return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: err.Error()}
	}
	return err
}

func main() {
	addr := flag.String("addr", ":3000", "address to listen on")
	flag.Parse()
	if err := newApp().Listen(*addr); err != nil {
		log.Fatal(err)
	}
}
