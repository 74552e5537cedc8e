package porting

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

type said struct {
	Text string `json:"text" validate:"required"`
}

// chat has a route of sockets behind a refusal, one for messages and one for events.
func chat(t *testing.T) (*nextrush.App, *nextrushtest.Client) {
	t.Helper()
	var a *nextrush.App
	c := serve(t, func(app *nextrush.App) {
		a = app
		app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
			if c.Query("refuse") != "" {
				return nextrush.NewError(403, "not you")
			}
			s.Set("name", c.Query("name"))
			return next()
		})
		guard := func(c *nextrush.Context) error { return nextrush.NewError(401) }
		app.With(guard).WS("/guarded", func(*websocket.Socket, *nextrush.Context) error { return nil })
		app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
			s.OnMessage(func(m websocket.Message) { s.Send("echo " + m.Text()) })
			return nil
		})
		app.WS("/rooms/:room", room)
	})
	return a, c
}

func room(s *websocket.Socket, c *nextrush.Context) error {
	room := c.Param("room")
	s.On("where", func(e *websocket.Event) { s.Emit("here", s.Rooms(), s.Get("name")) })
	s.On("leave", func(*websocket.Event) { s.Leave(room); s.Emit("left") })
	websocket.On(s, "say", func(s *websocket.Socket, in said) error { return s.To(room).Emit("say", in) })
	websocket.Handle(s, "length", func(_ context.Context, _ *websocket.Socket, in said) (int, error) { return len(in.Text), nil })
	websocket.Handle(s, "rooms", func(_ context.Context, s *websocket.Socket, _ struct{}) ([]string, error) { return s.Rooms(), nil })
	if err := s.Join(room); err != nil {
		return err
	}
	return s.Emit("welcome", s.ID() != "", s.Path(), s.State() == websocket.StateOpen)
}

func TestPortedSockets(t *testing.T) {
	rows{
		"messages": func(t *testing.T) {
			_, c := chat(t)
			s := c.Dial("/echo")
			s.Send("hi")
			s.Expect("echo hi")
		},
		"middleware": func(t *testing.T) {
			_, c := chat(t)
			if e := c.DialError("/guarded"); e.Status != 401 {
				t.Error(e)
			}
			if e := c.DialError("/echo?refuse=1"); e.Status != 403 {
				t.Error(e)
			}
			c.Get("/echo").WantStatus(426)
		},
		"rooms and events": func(t *testing.T) {
			app, c := chat(t)
			ann, bob := c.Dial("/rooms/a?name=ann"), c.Dial("/rooms/a?name=bob")
			ann.ExpectEvent("welcome", nil)
			bob.ExpectEvent("welcome", nil)
			ann.Emit("where")
			ann.ExpectEvent("here", new([]string))
			ann.Emit("say", said{"hi"})
			var got said
			bob.ExpectEvent("say", &got)
			if got.Text != "hi" {
				t.Error(got)
			}
			if err := app.WSTo("a").Emit("tick", 1); err != nil {
				t.Error(err)
			}
			ann.ExpectEvent("tick", nil)
			bob.ExpectEvent("tick", nil)
			if err := app.WSBroadcast("news"); err != nil {
				t.Error(err)
			}
			ann.Expect("news")
			bob.Expect("news")
			bob.Emit("leave")
			bob.ExpectEvent("left", nil)
			if n := len(app.WebSocketConnections()); n != 2 || app.WebSocketStats().Connections != 2 {
				t.Error(n)
			}
		},
		"replies": func(t *testing.T) {
			_, c := chat(t)
			s := c.Dial("/rooms/a")
			s.ExpectEvent("welcome", nil)
			s.Send(`{"type":"event","event":"length","id":1,"data":[{"text":"four"}]}`)
			s.Expect(map[string]any{"type": "ack", "id": 1, "data": []int{4}})
			s.Send(`{"type":"event","event":"rooms","id":3,"data":[]}`)
			s.Expect(map[string]any{"type": "ack", "id": 3, "data": [][]string{{"a"}}})
			s.Send(`{"type":"event","event":"length","id":2,"data":[{"text":""}]}`)
			var problem struct {
				Type   string
				Errors []nextrush.FieldError
			}
			if err := s.Next().JSON(&problem); err != nil || problem.Type != "error" || problem.Errors[0].Message != "text is required" {
				t.Errorf("%+v %v", problem, err)
			}
		},
		"limits": func(t *testing.T) {
			app := nextrush.New()
			app.EnableWebSocket(websocket.Options{
				MaxConnections: 1, MaxMessageSize: 10, MaxRooms: 1, PingInterval: -1, Protocols: []string{"chat"}, Debug: true, Logger: slog.New(slog.DiscardHandler),
			})
			app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
				if err := errors.Join(s.Join("a"), s.Join("b")); !errors.Is(err, websocket.ErrRoomLimit) {
					t.Error(err)
				}
				return nil
			})
			c := nextrushtest.New(t, app)
			s := c.Dial("/", &websocket.DialOptions{Protocols: []string{"chat"}})
			if e := c.DialError("/"); e.Status != 503 || s.Protocol() != "chat" {
				t.Error(e, s.Protocol())
			}
			s.Send("more than ten bytes")
			s.ExpectClose(websocket.StatusMessageTooBig)
		},
		"callbacks": func(t *testing.T) {
			said := make(chan string, 3)
			c := serve(t, func(app *nextrush.App) {
				app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
					s.OnMessage(func(m websocket.Message) { s.Broadcast(m.Text()); panic("oops") })
					s.OnError(func(err error) { said <- "error" })
					s.OnClose(func(code websocket.StatusCode, _ string) { said <- "close" })
					return nil
				})
			})
			other, s := c.Dial("/"), c.Dial("/")
			s.Send("hi")
			other.Expect("hi")
			if first, then := <-said, <-said; first != "error" || then != "close" {
				t.Error(first, then)
			}
		},
		"emitters": func(t *testing.T) {
			app, c := chat(t)
			ann, bob := c.Dial("/rooms/a"), c.Dial("/rooms/a")
			ann.ExpectEvent("welcome", nil)
			bob.ExpectEvent("welcome", nil)
			if n := len(app.WSTo("a").Sockets()); n != 2 {
				t.Errorf("%d sockets", n)
			}
			if err := app.WSTo("a").Join("b"); err != nil {
				t.Error(err)
			}
			app.WSTo("b").Emit("joined")
			ann.ExpectEvent("joined", nil)
			app.WSTo("a").Leave("b")
			app.WSTo("b").Emit("nobody is there")
			app.WebSockets().Namespace("").All().Emit("here")
			app.WSAll().Emit("everywhere")
			for _, name := range []string{"here", "everywhere"} {
				ann.ExpectEvent(name, nil)
			}
			bob.On("ask", func(e *websocket.Event) { e.Reply(1) })
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			replies := 0
			for range app.WSTo("a").Request(ctx, "ask") {
				replies++
			}
			if replies != 2 { // also of the one that does not answer
				t.Errorf("%d replies", replies)
			}
			id := app.WSTo("a").Sockets()[0].ID()
			if app.WebSockets().Socket(id) == nil || app.WebSocketStats().Connections != 2 {
				t.Error("a socket is not found by its id")
			}
			app.WSTo("a").Close(4000, "moved")
			for {
				if _, err := ann.Receive(t.Context()); err != nil {
					break
				}
			}
			ann.ExpectClose(4000)
		},
		"the newest value": func(t *testing.T) {
			newest := make(chan error, 1)
			c := serve(t, func(app *nextrush.App) {
				app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
					s.OnMessage(func(websocket.Message) {
						for price := range 100 {
							if err := s.Others().Coalesce("price").Emit("price", price, strings.Repeat("x", 10_000)); err != nil {
								newest <- err
								return
							}
						}
						newest <- s.To("nobody").Coalesce("price").Emit("price", 0)
					})
					return nil
				})
			})
			slow, other := c.Dial("/"), c.Dial("/")
			slow.Hold()
			other.Send("go")
			if err := <-newest; err != nil {
				t.Error(err)
			}
			slow.Release()
			for price, last := 0, -1; price < 99; last = price {
				if slow.ExpectEvent("price", &price); price <= last {
					t.Fatalf("%d after %d", price, last)
				}
			}
		},
		"closing by choice": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
					return s.Close(websocket.StatusNormalClosure, "bye")
				})
			})
			c.Dial("/").ExpectClose(websocket.StatusNormalClosure)
		},
		"closing": func(t *testing.T) {
			c := serve(t, func(app *nextrush.App) {
				app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
					return &websocket.CloseError{Code: websocket.StatusPolicyViolation, Reason: "no"}
				})
			})
			c.Dial("/").ExpectClose(websocket.StatusPolicyViolation)
		},
	}.run(t)
}
