package broker_test

import (
	"fmt"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

func ExampleCodec() {
	codec := broker.Codec{Secret: []byte("known to all nodes")}
	sent := broker.Envelope{Room: "chat", From: broker.NewNodeID(), Seq: 1, Keep: broker.Retention{Messages: 100, Age: time.Hour}, Body: []byte("hello")}
	got, err := codec.Decode(codec.Append(nil, &sent))
	fmt.Println(got.Room, got.Seq, string(got.Body), err)
	// Output: chat 1 hello <nil>
}
