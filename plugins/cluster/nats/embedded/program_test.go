package embedded_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/websocket"
)

// chat is a program that has everybody in one room, and tells it what each of them says.
func chat(o websocket.Options) *nextrush.App {
	app := nextrush.New()
	app.EnableWebSocket(o)
	app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		s.Join("chat") // before the 101, which waits until the node receives the room
		return next()
	})
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		s.On("say", func(e *websocket.Event) {
			var text string
			if e.Bind(0, &text) == nil {
				app.WSTo("chat").Emit("said", text)
			}
		})
		return nil
	})
	return app
}

func alone(app *nextrush.App) bool { return len(app.WebSockets().Cluster().Nodes()) < 2 }

func TestAProgramOnTwoNodesIsOne(t *testing.T) {
	listen := freeport.Address(t)
	var sockets []*nextrushtest.Socket
	var apps []*nextrush.App
	for _, o := range []embedded.Options{
		{Listen: listen, Secret: "secret"},
		{Listen: "127.0.0.1:0", Secret: "secret", Peers: []string{listen}},
	} {
		app := chat(websocket.Options{Broker: open(t, o)})
		c := nextrushtest.New(t, app)
		apps = append(apps, app)
		sockets = append(sockets, c.Dial("/ws"), c.Dial("/ws"))
	}
	for over := time.Now().Add(patience); slices.ContainsFunc(apps, alone); <-time.After(10 * time.Millisecond) {
		if time.Now().After(over) {
			t.Fatal("they do not know each other")
		}
	}
	for _, text := range []string{"hello", "again"} {
		for i, from := range sockets {
			if err := from.Emit("say", text); err != nil {
				t.Fatal(err)
			}
			for _, s := range sockets {
				var got string
				if s.ExpectEvent("said", &got); got != text {
					t.Errorf("from socket %d %q has come, want %q", i, got, text)
				}
			}
		}
	}
}

func TestRoomsWithHistoryNeedAPlaceToBeKept(t *testing.T) {
	rooms := websocket.Rooms{"chat": {History: websocket.History{Messages: 10}}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("a history that nobody keeps is no mistake")
			}
		}()
		websocket.NewServer(websocket.Options{Broker: open(t, embedded.Options{}), Rooms: rooms})
	}()
	srv := websocket.NewServer(websocket.Options{Broker: open(t, embedded.Options{Memory: true, Expected: 1}), Rooms: rooms})
	defer srv.Close()
	if err := srv.To("chat").Emit("said", "hello"); err != nil {
		t.Error(err)
	}
}
