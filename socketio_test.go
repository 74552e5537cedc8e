package nextrush_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// portedChat is the chat of docs/coming-from-socketio.md.
func portedChat(app *nextrush.App, users map[string]string, events *atomic.Int64) {
	app.EnableWebSocket(websocket.Options{})
	tenant := app.Namespace("/t/:tenant")
	tenant.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		user, ok := users[c.Query("token")]
		if !ok {
			return nextrush.NewError(http.StatusUnauthorized, "log in first")
		}
		s.Set("user", user)
		return next()
	})
	tenant.WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		ns := s.Namespace()
		user, _ := websocket.Value[string](s, "user")

		s.UseEvents(func(e *websocket.Event, next func() error) error {
			if joined, _ := websocket.Value[bool](s, "joined"); !joined && e.Name != "join" {
				return &websocket.EventError{Message: "join first"}
			}
			return next()
		})
		s.OnAny(func(*websocket.Event) { events.Add(1) })

		websocket.Handle(s, "join", func(_ context.Context, s *websocket.Socket, room string) (names []string, err error) {
			if err := s.Join(room); err != nil {
				return nil, err
			}
			s.Set("joined", true)
			s.To(room).Emit("joined", user)
			for _, other := range ns.To(room).Sockets() {
				name, _ := websocket.Value[string](other, "user")
				names = append(names, name)
			}
			return names, nil
		})
		websocket.On(s, "message", func(s *websocket.Socket, e *websocket.Event) error {
			var room, text string
			if err := e.BindAll(&room, &text); err != nil {
				return err
			}
			return ns.To(room).Emit("message", user, text)
		})
		websocket.On(s, "typing", func(s *websocket.Socket, room string) error {
			return s.Volatile().To(room).Emit("typing", user)
		})
		websocket.On(s, "private", func(s *websocket.Socket, e *websocket.Event) error {
			var id, text string
			if err := e.BindAll(&id, &text); err != nil {
				return err
			}
			return s.Others().ToID(id).Emit("private", user, text)
		})
		websocket.On(s, "poll", func(s *websocket.Socket, e *websocket.Event) error {
			var room, question string
			if err := e.BindAll(&room, &question); err != nil {
				return err
			}
			go poll(ns, e, room, question) // which waits for replies
			return nil
		})
		websocket.On(s, "kick", func(s *websocket.Socket, room string) error {
			return s.To(room).Close(4000, "kicked")
		})
		s.OnClose(func(websocket.StatusCode, string) {
			for _, room := range s.Rooms() {
				s.To(room).Emit("left", user)
			}
		})
		return nil
	})
}

// poll asks everybody in a room, and replies with their answers.
func poll(ns *websocket.Namespace, e *websocket.Event, room, question string) {
	ctx, cancel := context.WithTimeout(e.Socket.Context(), 10*time.Second)
	defer cancel()
	answers, silent := map[string]string{}, 0
	for r := range ns.To(room).Request(ctx, "question", question) {
		var answer string
		if r.Err != nil || r.Event.Bind(0, &answer) != nil {
			silent++
			continue
		}
		answers[r.ID] = answer
	}
	e.Reply(answers, silent)
}

// chatter is a client of the chat.
type chatter struct {
	*nextrushtest.Socket
	t      *testing.T
	events chan *websocket.Event
}

func join(t *testing.T, c *nextrushtest.Client, path, answer string) *chatter {
	ch := &chatter{t: t, events: make(chan *websocket.Event, 100)}
	ch.Socket = c.Dial(path, &websocket.DialOptions{Handler: func(s *websocket.Socket) error {
		s.OnAny(func(e *websocket.Event) {
			if !e.WantsReply() {
				ch.events <- e
			}
		})
		websocket.Handle(s, "question", func(context.Context, *websocket.Socket, string) (string, error) {
			if answer == "" {
				return "", &websocket.EventError{Message: "no opinion"}
			}
			return answer, nil
		})
		return nil
	}})
	return ch
}

// expect checks the next event and its arguments.
func (ch *chatter) expect(name string, args ...string) {
	ch.t.Helper()
	select {
	case e := <-ch.events:
		var got []string
		for _, raw := range e.Args() {
			var arg string
			json.Unmarshal(raw, &arg)
			got = append(got, arg)
		}
		if e.Name != name || !slices.Equal(got, args) {
			ch.t.Errorf("event is %s %q, want %s %q", e.Name, got, name, args)
		}
	case <-time.After(10 * time.Second):
		ch.t.Fatalf("no event came, want %s", name)
	}
}

// ask sends a request and decodes the reply.
func (ch *chatter) ask(event string, args []any, reply ...any) error {
	ch.t.Helper()
	e, err := ch.Request(ch.t.Context(), event, args...)
	if err != nil {
		return err
	}
	return e.BindAll(reply...)
}

// A Socket.IO chat with namespaces, rooms, authentication, middleware for events,
// acknowledgements of many, volatile events, disconnecting and fetchSockets.
func TestSocketIOChat(t *testing.T) {
	var events atomic.Int64
	app := nextrush.New()
	portedChat(app, map[string]string{"a": "Ada", "b": "Bob", "e": "Eve"}, &events)
	c := nextrushtest.New(t, app)

	if refused := c.DialError("/t/acme/chat?token=nobody"); refused.Status != http.StatusUnauthorized {
		t.Errorf("a stranger is refused with %d", refused.Status)
	}
	ada := join(t, c, "/t/acme/chat?token=a", "yes")
	bob := join(t, c, "/t/acme/chat?token=b", "")
	eve := join(t, c, "/t/beta/chat?token=e", "no")

	var names []string
	if err := eve.ask("join", []any{"tea"}, &names); err != nil || !slices.Equal(names, []string{"Eve"}) {
		t.Errorf("Eve is with %q, %v", names, err)
	}
	if err := ada.ask("join", []any{"tea"}, &names); err != nil || !slices.Equal(names, []string{"Ada"}) {
		t.Errorf("Ada is with %q, %v", names, err)
	}
	var refused *websocket.EventError
	if err := bob.ask("message", []any{"tea", "hi"}); !errors.As(err, &refused) || refused.Message != "join first" {
		t.Errorf("who has not joined gets %v", err)
	}
	if err := bob.ask("join", []any{"tea"}, &names); err != nil || !slices.Equal(slices.Sorted(slices.Values(names)), []string{"Ada", "Bob"}) {
		t.Errorf("Bob is with %q, %v", names, err)
	}
	ada.expect("joined", "Bob")

	ada.Emit("message", "tea", "hello")
	ada.expect("message", "Ada", "hello")
	bob.expect("message", "Ada", "hello")
	bob.Emit("typing", "tea")
	ada.expect("typing", "Bob")

	ids := map[string]string{}
	for _, s := range app.WebSockets().Sockets() {
		name, _ := websocket.Value[string](s, "user")
		ids[name] = s.ID()
	}
	ada.Emit("private", ids["Eve"], "over there?") // who is another tenant's
	ada.Emit("private", ids["Bob"], "psst")
	bob.expect("private", "Ada", "psst")

	answers, silent := map[string]string{}, 0
	err := ada.ask("poll", []any{"tea", "cake?"}, &answers, &silent)
	if want := map[string]string{ids["Ada"]: "yes"}; err != nil || !maps.Equal(answers, want) || silent != 1 {
		t.Errorf("the poll has %v, %d silent, %v", answers, silent, err)
	}

	ada.Emit("kick", "tea")
	ada.expect("left", "Bob")
	bob.ExpectClose(4000)
	app.WSAll().Emit("end")
	ada.expect("end")
	eve.expect("end") // and she has heard nothing else
	if got := events.Load(); got != 9 {
		t.Errorf("%d events passed the middleware", got)
	}
}

// What Socket.IO has in socket.handshake.
func TestSocketIOHandshake(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{Protocols: []string{"chat.v1"}})
	app.WSUse(func(s *websocket.Socket, c *nextrush.Context, next func() error) error {
		session := c.Cookie("session")
		if session == "" {
			return nextrush.NewError(http.StatusUnauthorized)
		}
		s.Set("auth", strings.Join([]string{c.Query("token"), c.Header("X-Client"), session}, " "))
		return next()
	})
	app.WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		auth, _ := websocket.Value[string](s, "auth")
		return s.Send(strings.Join([]string{auth, s.UserAgent(), s.Path(), s.Protocol(), c.IP()}, " "))
	})
	c := nextrushtest.New(t, app)
	if got := c.DialError("/chat?token=t").Status; got != http.StatusUnauthorized {
		t.Errorf("without a cookie: %d", got)
	}
	s := c.Dial("/chat?token=t", &websocket.DialOptions{
		Header:    http.Header{"X-Client": {"web"}, "Cookie": {"session=s1"}, "User-Agent": {"tester"}},
		Protocols: []string{"chat.v1"},
	})
	if got := s.Next().Text(); !strings.HasPrefix(got, "t web s1 tester /chat chat.v1 ") {
		t.Errorf("the handshake says %q", got)
	}
}

// What Socket.IO tells with connect, disconnect and connected.
func TestSocketIOLifeOfASocket(t *testing.T) {
	told := make(chan string, 10)
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{
		OnConnection: func(s *websocket.Socket) { told <- "connected" },
		OnDisconnect: func(s *websocket.Socket, code websocket.StatusCode, reason string) { told <- "disconnected " + reason },
	})
	app.WS("/chat", func(s *websocket.Socket, c *nextrush.Context) error {
		if s.State() != websocket.StateOpen || app.WebSockets().Socket(s.ID()) != s {
			t.Error("the socket is not open, or not to be found by its id")
		}
		s.OnClose(func(code websocket.StatusCode, reason string) { told <- "closed " + reason })
		return s.Close(websocket.StatusNormalClosure, "bye")
	})
	nextrushtest.New(t, app).Dial("/chat").ExpectClose(websocket.StatusNormalClosure)
	for _, want := range []string{"connected", "closed bye", "disconnected bye"} {
		select {
		case got := <-told:
			if got != want {
				t.Errorf("told was %q, want %q", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("nobody told %q", want)
		}
	}
}
