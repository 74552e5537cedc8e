package nats_test

import (
	"log"
	"os"
	"time"

	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket"
)

// A NATS of three servers, which admit who has a file of credentials, keeps the chat on all
// of them.
func Example() {
	broker, err := nats.New(nats.Options{
		URL:     "tls://nats-1:4222,tls://nats-2:4222,tls://nats-3:4222",
		Connect: []natsgo.Option{natsgo.UserCredentials("app.creds")},
		Secret:  os.Getenv("CLUSTER_SECRET"),
		Streams: nats.Streams{Replicas: 3},
	})
	if err != nil {
		log.Fatal(err)
	}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{
		Broker: broker,
		Rooms:  websocket.Rooms{"chat:*": {History: websocket.History{Messages: 100, Age: time.Hour}}},
	})
	log.Fatal(app.Listen(":8080"))
}
