package websocket_test

import (
	"context"
	"fmt"

	"github.com/nextrush/nextrush/websocket"
	"github.com/nextrush/nextrush/websocket/brokertest"
)

// A worker keeps an event in the history that the servers have, and ends.
func ExampleNewEmitter() {
	network := brokertest.NewNetwork() // or a broker of plugins/cluster
	rooms := websocket.Rooms{"reports": {History: websocket.History{Messages: 10}}}
	server := websocket.NewServer(websocket.Options{Broker: network.Broker(), Rooms: rooms})
	defer server.Close()

	worker := websocket.NewEmitter(network.Broker(), rooms)
	worker.To("reports").Emit("report", "all is well")
	worker.Close()

	past, err := server.History(context.Background(), "reports", 1)
	fmt.Println(past.Events[0].Name, string(past.Events[0].Args[0]), err)
	// Output: report "all is well" <nil>
}

// What was answered outlives the server that answered.
func ExampleEmitter_EmitContext() {
	network := brokertest.NewNetwork() // or a broker of plugins/cluster
	opts := websocket.Options{Rooms: websocket.Rooms{"orders": {History: websocket.History{Messages: 10}}}}
	opts.Broker = network.Broker()
	first := websocket.NewServer(opts)
	opts.Broker = network.Broker()
	second := websocket.NewServer(opts)
	defer second.Close()

	err := first.To("orders").EmitContext(context.Background(), "order", 42)
	fmt.Println("taken:", err == nil)
	first.Close()

	past, err := second.History(context.Background(), "orders", 1)
	fmt.Println(string(past.Events[0].Args[0]), err)
	// Output:
	// taken: true
	// 42 <nil>
}

func ExampleServer_Cluster() {
	server := websocket.NewServer(websocket.Options{}) // alone; with a Broker it is all servers
	defer server.Close()

	n, err := server.Cluster().Disconnect(context.Background(), websocket.User("42"), 4401, "signed out")
	fmt.Println(n, "sockets closed,", err)
	// Output: 0 sockets closed, <nil>
}
