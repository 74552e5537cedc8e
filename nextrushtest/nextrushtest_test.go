package nextrushtest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func app(opts websocket.Options) *nextrush.App {
	a := nextrush.New()
	a.EnableWebSocket(opts)
	a.Get("/users/:id", func(c *nextrush.Context) error { return c.JSON(map[string]string{"id": c.Param("id")}) })
	a.Post("/echo", func(c *nextrush.Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Blob("application/json", body)
	})
	a.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		s.On("hello", func(e *websocket.Event) { s.Emit("welcome", map[string]int{"n": 1}) })
		return nil
	})
	a.WS("/refused", func(s *websocket.Socket, c *nextrush.Context) error { return nil })
	return a
}

func TestRequestsInMemory(t *testing.T) {
	c := nextrushtest.New(t, app(websocket.Options{}))
	var user struct{ ID string }
	c.Get("/users/7").WantStatus(200).JSON(&user)
	if user.ID != "7" {
		t.Errorf("got %+v", user)
	}
	if got := c.Post("/echo", map[string]int{"a": 1}).WantStatus(200).Text(); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
	c.Get("/nowhere").WantStatus(404)
}

func TestSocketsInMemory(t *testing.T) {
	c := nextrushtest.New(t, app(websocket.Options{}))
	s := c.Dial("/echo")
	s.Send("hi")
	s.Expect("hi")
	s.Send(map[string]int{"a": 1})
	s.Expect(map[string]int{"a": 1})
	s.Emit("hello")
	var got struct{ N int }
	s.ExpectEvent("welcome", &got)
	if got.N != 1 {
		t.Errorf("got %+v", got)
	}
}

func TestRefusalsAreSeen(t *testing.T) {
	opts := websocket.Options{MaxConnections: 1}
	c := nextrushtest.New(t, app(opts))
	c.Dial("/echo")
	if e := c.DialError("/refused"); e.Status != 503 {
		t.Errorf("got %d", e.Status)
	}
}

func TestHeartbeatTakesNoTimeInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := app(websocket.Options{PingInterval: time.Minute})
		pinged := make(chan struct{})
		c := nextrushtest.New(t, a)
		// The client's own pings are traffic, for which the server would not ping.
		s := c.Dial("/echo", &websocket.DialOptions{Options: websocket.Options{PingInterval: -1}})
		s.OnPing(func([]byte) { close(pinged) })
		s.Send("hi")
		s.Expect("hi")
		start := time.Now()
		<-pinged
		if waited := time.Since(start); waited < 40*time.Second {
			t.Errorf("pinged after %v", waited)
		}
		synctest.Wait()
		if n := len(a.WebSocketConnections()); n != 1 {
			t.Errorf("%d sockets, want 1", n)
		}
	})
}
