package embedded_test

import (
	"log"
	"os"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/cluster/nats/embedded"
	"github.com/nextrush/nextrush/plugins/health"
	"github.com/nextrush/nextrush/websocket"
)

// The name has the addresses of all nodes, as that of a headless Service of Kubernetes has.
func Example() {
	broker, err := embedded.Open(embedded.Options{
		Listen: ":6222",
		Peers:  []string{"chat.default.svc.cluster.local:6222"},
		Secret: os.Getenv("CLUSTER_SECRET"),
	})
	if err != nil {
		log.Fatal(err)
	}
	app := nextrush.New()
	app.Register(health.New().Check("cluster", broker.Health))
	app.EnableWebSocket(websocket.Options{Broker: broker})
	log.Fatal(app.Listen(":8080"))
}
