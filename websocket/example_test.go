package websocket_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// listen serves h and gives its URL.
func listen(srv *websocket.Server, h func(*websocket.Socket) error) (url string, stop func()) {
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.Upgrade(w, r, h)
	}))
	return ts.URL, func() {
		srv.Close()
		ts.Close()
	}
}

func ExampleServer_Upgrade() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.OnMessage(func(m websocket.Message) { s.Send("echo: " + m.Text()) })
		return nil
	})
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Send("hi")
	m, _ := c.Receive(ctx)
	fmt.Println(m.Text())
	// Output: echo: hi
}

func ExampleHandle() {
	type sum struct{ A, B int }
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		websocket.Handle(s, "add", func(_ context.Context, _ *websocket.Socket, in sum) (int, error) {
			return in.A + in.B, nil
		})
		return nil
	})
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// A socket receives replies while it is read from: give it a consumer.
	c.OnMessage(func(websocket.Message) {})
	reply, err := c.Request(ctx, "add", sum{2, 3})
	if err != nil {
		fmt.Println(err)
		return
	}
	var out int
	reply.Bind(0, &out)
	fmt.Println(out)
	// Output: 5
}

func ExampleSocket_Receive() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		for {
			m, err := s.Receive(s.Context())
			if err != nil {
				return err
			}
			s.SendMessage(m)
		}
	})
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.SendBinary([]byte{1, 2, 3})
	m, _ := c.Receive(ctx)
	fmt.Println(m.Type, m.Bytes())
	// Output: binary [1 2 3]
}

func ExampleEmitter() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.Join("news")
		return s.Send("joined")
	})
	defer stop()

	ctx := context.Background()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	c.Receive(ctx)
	srv.To("news").To("sport").Send("kick-off")
	m, _ := c.Receive(ctx)
	fmt.Println(m.Text())
	// Output: kick-off
}

func ExampleServer_Shutdown() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, nil)
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	c, err := websocket.Dial(ctx, url, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	closed := make(chan websocket.StatusCode, 1)
	c.OnClose(func(code websocket.StatusCode, _ string) { closed <- code })
	fmt.Println(srv.Shutdown(ctx), <-closed)
	// Output: <nil> 1001
}

func ExamplePollListener() {
	srv := websocket.NewServer(websocket.Options{})
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.Upgrade(w, r, func(s *websocket.Socket) error { return s.Send("hi") })
	})}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	err = server.ServeTLS(websocket.PollListener(ln), "missing.pem", "missing.pem")
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	// Output: true
}
