package brokertest_test

import (
	"context"
	"fmt"

	"github.com/nextrush/nextrush/websocket"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

// Two servers of a program in one test.
func ExampleNewNetwork() {
	network := brokertest.NewNetwork()
	a := websocket.NewServer(websocket.Options{Broker: network.Broker()})
	b := websocket.NewServer(websocket.Options{Broker: network.Broker()})
	defer a.Close()
	defer b.Close()

	for len(a.Cluster().Nodes()) < 2 || len(b.Cluster().Nodes()) < 2 {
	}
	count, err := a.Cluster().Count(context.Background(), "chat")
	fmt.Println(count.Sockets, err)
	// Output: 0 <nil>
}
