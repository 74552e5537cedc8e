package main

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// enter lets somebody into the room "tea" who speaks as the page does, and waits until
// the page would show these users.
func enter(c *nextrushtest.Client, name string, want string) *nextrushtest.Socket {
	s := c.Dial("/chat/tea?name="+name, &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
	for {
		var m struct {
			Type string
			Set  map[string]struct{ Sockets int }
		}
		if s.Next().JSON(&m) == nil && m.Type == "presence" && fmt.Sprint(m.Set) == want {
			return s
		}
	}
}

// hear waits until somebody has said something.
func hear(s *nextrushtest.Socket) (m message) {
	for {
		if e, ok := s.Next().Event(); ok && e.Name == said.Name && e.Bind(0, &m) == nil {
			return m
		}
	}
}

func TestTwoPeopleTalk(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann := enter(c, "Ann", "map[Ann:{1}]")
	bob := enter(c, "Bob", "map[Ann:{1} Bob:{1}]")
	enter(c, "Bob", "map[Ann:{1} Bob:{2}]") // in a second window
	ann.Emit("say", sayInput{"hello"})
	for _, s := range []*nextrushtest.Socket{ann, bob} {
		if m := hear(s); m != (message{"Ann", "hello"}) {
			t.Errorf("got %+v", m)
		}
	}
}

func TestWhatIsSentAgainIsSaidOnce(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann, bob := enter(c, "Ann", "map[Ann:{1}]"), enter(c, "Bob", "map[Ann:{1} Bob:{1}]")
	for range 2 {
		ann.Send(`{"type":"event","event":"say","data":[{"text":"once"}],"id":1,"key":"k"}`)
	}
	ann.Emit("say", sayInput{"after"})
	for _, want := range []string{"once", "after"} {
		if m := hear(bob); m.Text != want {
			t.Errorf("got %q, want %q", m.Text, want)
		}
	}
}

func TestWhoComesSeesTheLastFiftyMessages(t *testing.T) {
	app := newApp()
	c := nextrushtest.New(t, app)
	enter(c, "Ann", "map[Ann:{1}]")
	for n := range 53 {
		said.Emit(app.WebSockets().Namespace("/chat").To("tea"), message{"Ann", fmt.Sprint(n)})
	}
	bob := c.Dial("/chat/tea?name=Bob", &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
	for n := 3; n < 53; n++ {
		if m := hear(bob); m.Text != fmt.Sprint(n) {
			t.Fatalf("got %q, want %d", m.Text, n)
		}
	}
}

// Who comes after a quiet day has missed nothing, though messages are not kept any more.
func TestWhoComesAfterAQuietDayHasMissedNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := newApp()
		tea := app.WebSockets().Namespace("/chat").To("tea")
		for n := range 10 {
			said.Emit(tea, message{"Ann", fmt.Sprint(n)})
			time.Sleep(23 * time.Hour / 9)
		}
		time.Sleep(2 * time.Hour)
		c := nextrushtest.New(t, app)
		s := c.Dial("/chat/tea?name=Bob", &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
		replayed := 0
		for {
			var m struct {
				Type      string
				Recovered bool
				Replayed  bool
			}
			s.Next().JSON(&m)
			if m.Type == "event" && m.Replayed {
				replayed++
			}
			if m.Type == "synced" {
				if !m.Recovered || replayed != 8 {
					t.Errorf("recovered %v, with %d messages", m.Recovered, replayed)
				}
				break
			}
		}
		s.Close(websocket.StatusNormalClosure, "")
	})
}

func TestANameIsNeeded(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, query := range []string{"", "?name=", "?name=+%09", "?name=123456789012345678901234567890123"} {
		var closed *websocket.CloseError
		_, err := c.Dial("/chat/tea" + query).Receive(t.Context())
		if !errors.As(err, &closed) || closed.Code != websocket.StatusPolicyViolation {
			t.Errorf("%s: %v", query, err)
		}
	}
}
