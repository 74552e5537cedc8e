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

func ExampleServer_Namespace() {
	srv := websocket.NewServer(websocket.Options{})
	tenant := func(w http.ResponseWriter, r *http.Request) {
		ns := srv.Namespace(r.URL.Query().Get("tenant")) // after it was checked
		ns.Upgrade(w, r, func(s *websocket.Socket) error {
			s.Join("lobby") // of the tenant
			return s.Send("joined")
		})
	}
	ts := httptest.NewServer(http.HandlerFunc(tenant))
	defer ts.Close()
	defer srv.Close()

	ctx := context.Background()
	for _, name := range []string{"acme", "beta"} {
		c, err := websocket.Dial(ctx, ts.URL+"?tenant="+name, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		c.Receive(ctx)
	}
	fmt.Println(len(srv.Namespace("acme").SocketsIn("lobby")), srv.Namespace("beta").Stats().Connections, srv.Stats().Connections)
	// Output: 1 1 2
}

func ExampleEmitter_Request() {
	srv := websocket.NewServer(websocket.Options{})
	joined := make(chan error, 3)
	url, stop := listen(srv, func(s *websocket.Socket) error {
		joined <- s.Join("team")
		return nil
	})
	defer stop()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for range 3 {
		_, err := websocket.Dial(ctx, url, &websocket.DialOptions{Handler: func(c *websocket.Socket) error {
			websocket.Handle(c, "lunch?", func(context.Context, *websocket.Socket, string) (string, error) { return "yes", nil })
			return nil
		}})
		if err != nil {
			fmt.Println(err)
			return
		}
		<-joined
	}
	for r := range srv.To("team").Request(ctx, "lunch?", "at noon") {
		var answer string
		if r.Err == nil {
			r.Err = r.Event.Bind(0, &answer)
		}
		fmt.Println(answer, r.Err) // r.Err tells who is silent, and who has left
	}
	// Output:
	// yes <nil>
	// yes <nil>
	// yes <nil>
}

func ExampleSocket_UseEvents() {
	srv := websocket.NewServer(websocket.Options{})
	url, stop := listen(srv, func(s *websocket.Socket) error {
		s.UseEvents(func(e *websocket.Event, next func() error) error {
			if admin, _ := websocket.Value[bool](e.Socket, "admin"); !admin {
				return &websocket.EventError{Message: "for admins alone"}
			}
			return next()
		})
		s.On("restart", func(e *websocket.Event) { e.Reply("restarting") })
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
	c.OnMessage(func(websocket.Message) {})
	_, err = c.Request(ctx, "restart")
	fmt.Println(err)
	// Output: websocket: event: for admins alone
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
