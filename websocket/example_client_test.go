package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

func ExampleNewClient() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		websocket.On(s, "hello", func(s *websocket.Socket, name string) error { return s.Emit("greeting", "Hello, "+name) })
		return nil
	})
	defer stop()

	c := websocket.NewClient(url, nil)
	c.On("greeting", func(e *websocket.Event) {
		var text string
		if err := e.Bind(0, &text); err == nil {
			fmt.Println(text)
		}
		c.Close()
	})
	c.Emit("hello", "Ann") // waits for the connection
	err := c.Run(context.Background())
	fmt.Println(errors.Is(err, websocket.ErrClosed))
	// Output:
	// Hello, Ann
	// true
}

func ExampleAsk() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		websocket.Handle(s, "add", func(_ context.Context, _ *websocket.Socket, in []int) (int, error) { return in[0] + in[1], nil })
		return nil
	})
	defer stop()

	ctx, cancel := context.WithCancel(context.Background())
	c := websocket.NewClient(url, nil)
	ended := make(chan error)
	go func() { ended <- c.Run(ctx) }()

	sum, err := websocket.Ask[[]int, int](ctx, c, "add", []int{1, 2})
	var lost *websocket.LostError
	switch {
	case err == nil:
		fmt.Println(sum)
	case errors.As(err, &lost):
		fmt.Println("carried out:", lost.Ran)
	}
	cancel()
	fmt.Println(<-ended)
	// Output:
	// 3
	// context canceled
}

func ExampleClientOptions() {
	c := websocket.NewClient("wss://a.example/chat", &websocket.ClientOptions{
		Token: func(ctx context.Context, why websocket.TokenReason) (string, error) {
			return os.Getenv("TOKEN"), nil
		},
		Setup: func(ctx context.Context, first websocket.Manner) error {
			_, err := first.Request(ctx, "choose name", "Ann")
			return err
		},
		Buffer:  websocket.Buffer{Messages: 1000, Age: time.Minute},
		Backoff: websocket.Backoff{Cap: 10 * time.Second},
	})
	c.OnState(func(s websocket.ClientState) {
		if s.Phase == websocket.ClientWaiting {
			log.Printf("lost: %v; next try in %v", s.Err, time.Until(s.Until))
		}
	})
}

func ExampleClient_Room() {
	srv := websocket.NewServer(websocket.Options{Rooms: websocket.Rooms{
		"news": {History: websocket.History{Messages: 100}},
	}})
	url, stop := listen(srv, func(s *websocket.Socket) error { return s.Join("news") })
	defer stop()
	ctx := context.Background()
	loaded, _ := srv.Position(ctx, "news") // a program loads it over HTTP, with the state there
	srv.To("news").Emit("headline", "It rains")

	c := websocket.NewClient(url, nil)
	news := c.Room("news")
	news.Since(loaded)
	news.On("headline", func(e *websocket.Event) {
		var text string
		e.Bind(0, &text)
		fmt.Println(text, e.Meta().Replayed)
		c.Close()
	})
	c.OnGap(func(g websocket.Gap) { fmt.Println("load", g.Room, "anew") })
	c.Run(ctx)
	// Output: It rains true
}

func ExampleClient_Repeat() {
	srv := websocket.NewServer(websocket.Options{})
	once := websocket.Once(time.Minute, 1000)
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.UseEvents(once)
		websocket.Handle(s, "pay", func(_ context.Context, _ *websocket.Socket, amount int) (string, error) {
			return fmt.Sprint("paid ", amount), nil
		})
		return nil
	})
	defer stop()

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := websocket.NewClient(url, nil)
	go c.Run(ctx)
	receipt, err := websocket.Ask[int, string](ctx, c.Repeat(""), "pay", 5) // asked again after a loss, and carried out once
	fmt.Println(receipt, err)
	// Output: paid 5 <nil>
}
