package main

import (
	"context"
	"embed"
	"os"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/client"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/plugins/static"
	"github.com/nextrush/nextrush/websocket"
)

//go:embed index.html app.js style.css
var page embed.FS

const room = "hall"

type message struct {
	Text string `json:"text" validate:"required,max=500"`
}

// said is a message, and the node by way of which it came.
type said struct {
	Text string `json:"text"`
	Node string `json:"node"`
}

// news is what a node says of itself each second.
type news struct {
	Name    string `json:"name"`
	Sockets int64  `json:"sockets"`
	Nodes   int    `json:"nodes"` // that it knows
}

// newApp is one of the nodes that meet at those addresses, of which its own is the first.
func newApp(name string, peers []string) (*nextrush.App, error) {
	broker, err := embedded.Open(embedded.Options{
		Listen: peers[0], Peers: peers, Expected: len(peers), Memory: true, Name: name,
	})
	if err != nil {
		return nil, err
	}
	app := nextrush.New()
	app.Use(middleware.Production())
	app.EnableWebSocket(websocket.Options{
		Broker:    broker,
		RateLimit: websocket.RateLimit{Messages: 20, Burst: 40},
		Rooms: websocket.Rooms{
			room: {History: websocket.History{Messages: 100, Age: time.Hour}, Presence: true},
		},
	})
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error { return join(app, s, name) })
	app.Register(client.New(), static.FS("/", page))
	tellAll(app, name)
	return app, nil
}

func join(app *nextrush.App, s *websocket.Socket, name string) error {
	s.On("say", func(e *websocket.Event) {
		var m message
		if err := e.Bind(0, &m); err != nil {
			e.ReplyError(err)
			return
		}
		if err := app.WSTo(room).EmitContext(context.WithoutCancel(s.Context()), "said", said{m.Text, name}); err != nil {
			e.ReplyError(err)
			return
		}
		e.Reply(true) // whatever becomes of this node
	})
	s.On("kill", func(*websocket.Event) { // as kill -9 does: nobody says goodbye
		if p, err := os.FindProcess(os.Getpid()); err == nil {
			p.Kill()
		}
	})
	if err := s.Emit("on", name); err != nil {
		return err
	}
	return s.JoinLast(s.Context(), room, 50)
}

// tellAll has everybody on all nodes know each second how this one is.
func tellAll(app *nextrush.App, name string) {
	ctx, stop := context.WithCancel(context.Background())
	app.OnStart(func(context.Context) error {
		go func() {
			for ctx.Err() == nil {
				n := news{name, app.WebSocketStats().Connections, len(app.WebSockets().Cluster().Nodes())}
				app.WSAll().Volatile().Emit("node", n)
				select {
				case <-time.After(time.Second):
				case <-ctx.Done():
				}
			}
		}()
		return nil
	})
	app.OnShutdown(func(context.Context) error {
		stop()
		return nil
	})
}
