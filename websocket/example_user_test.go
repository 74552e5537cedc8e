package websocket_test

import (
	"context"
	"fmt"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

func ExampleSocket_SetUser() {
	srv := websocket.NewServer(websocket.Options{
		MaxConnectionsPerUser: 5,
		MaxAnonymous:          1000,
		AuthTimeout:           5 * time.Second,
	})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		websocket.Handle(s, "auth", func(_ context.Context, s *websocket.Socket, token string) (string, error) {
			if err := s.SetUser("user of "+token, nil); err != nil {
				return "", err
			}
			id, _ := s.User()
			return id, nil
		})
		return nil
	})
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	answer, err := c.Request(ctx, "auth", "a token")
	if err != nil {
		fmt.Println(err)
		return
	}
	var id string
	answer.Bind(0, &id)
	fmt.Println(id)
	// Output: user of a token
}

func ExampleEmitter_Coalesce() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error { return s.Join("prices") })
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	for len(srv.SocketsIn("prices")) == 0 {
		time.Sleep(time.Millisecond)
	}

	// A client that is slow gets the newest price of each share; this one gets all.
	prices := srv.To("prices")
	prices.Coalesce("ACME").Emit("price", "ACME", 10)
	prices.Coalesce("ACME").Emit("price", "ACME", 11)
	for range 2 {
		m, err := c.Receive(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		e, _ := m.Event()
		var price int
		e.Bind(1, &price)
		fmt.Println(e.Name, price)
	}
	// Output:
	// price 10
	// price 11
}

func ExampleEvent_ReplyError() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.On("report", func(e *websocket.Event) {
			go func() { // other events of the socket do not wait for it
				e.ReplyError(&websocket.EventError{Message: "there is nothing to report"})
			}()
		})
		return nil
	})
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close(websocket.StatusNormalClosure, "")
	_, err = c.Request(ctx, "report")
	fmt.Println(err)
	// Output: websocket: event: there is nothing to report
}

func ExampleResume() {
	gone := make(chan websocket.StatusCode, 1)
	srv := websocket.NewServer(websocket.Options{Resume: websocket.Resume{For: 2 * time.Minute}})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.OnClose(func(code websocket.StatusCode, reason string) { gone <- code })
		return s.Join("lobby") // stays there while its client is away
	})
	defer stop()

	c := websocket.NewClient(url, nil) // goes on with its session when it connects again
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientOpen {
			c.Close() // ends the session
		}
	})
	c.Run(context.Background())
	fmt.Println("gone for good with", <-gone)
	// Output: gone for good with 1000
}

func ExampleServer_History() {
	srv := websocket.NewServer(websocket.Options{Rooms: websocket.Rooms{
		"room:*": {History: websocket.History{Messages: 1000}},
	}})
	srv.To("room:tea").Emit("chat", "hello")
	srv.To("room:tea").Emit("chat", "is the kettle on?")

	// In the handler of a page's state: c.JSON(past).
	past, err := srv.History(context.Background(), "room:tea", 50)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range past.Events {
		fmt.Printf("%d %s %s\n", e.Offset, e.Name, e.Args)
	}
	fmt.Println(past.Position.Offset) // for room.since of a client, or JoinFrom
	// Output:
	// 1 chat ["hello"]
	// 2 chat ["is the kettle on?"]
	// 2
}
