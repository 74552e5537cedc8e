package redis_test

import (
	"log"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/cluster/redis"
	"github.com/nextrush/nextrush/websocket"
)

func ExampleOpen() {
	broker, err := redis.Open("redis://localhost:6379")
	if err != nil {
		log.Fatal(err)
	}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{
		Broker: broker,
		Rooms:  websocket.Rooms{"chat/*": {History: websocket.History{Messages: 100}}},
	})
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		s.On("say", func(e *websocket.Event) {
			var text string
			if e.Bind(0, &text) == nil {
				app.WSTo("chat/lobby").Emit("said", text) // on all nodes
			}
		})
		return s.Join("chat/lobby")
	})
	if err := app.Listen(":3000"); err != nil {
		log.Fatal(err)
	}
}

func ExampleNew() {
	broker, err := redis.New(redis.Options{
		URL:    "rediss+sentinel://:password@sentinel-1:26379,sentinel-2:26379/main",
		Prefix: "shop:",
		Secret: "known to all nodes, and to nobody else",
	})
	if err != nil {
		log.Fatal(err)
	}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{Broker: broker})
}
