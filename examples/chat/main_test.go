package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// enter lets somebody into the room "tea" and waits until it has people with these names.
func enter(c *nextrushtest.Client, name string, want ...string) *nextrushtest.Socket {
	s := c.Dial("/chat/tea?name=" + name)
	s.ExpectEvent("welcome", nil)
	here(s, want...)
	return s
}

// here waits until the room has people with these names.
func here(s *nextrushtest.Socket, want ...string) {
	for {
		var people []person
		s.ExpectEvent("people", &people)
		names := []string{}
		for _, p := range people {
			names = append(names, p.Name)
		}
		if slices.Equal(names, want) {
			return
		}
	}
}

func TestTwoPeopleTalk(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann := enter(c, "Ann", "Ann")
	bob := enter(c, "Bob", "Ann", "Bob")
	ann.Emit("chat", chatInput{Text: "hello"})
	var m chatMessage
	bob.ExpectEvent("chat", &m)
	if m.Text != "hello" || m.Name != "Ann" {
		t.Errorf("got %+v", m)
	}
}

func TestTheOthersSeeWhoLeaves(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann := enter(c, "Ann", "Ann")
	bob := enter(c, "Bob", "Ann", "Bob")
	bob.Close(websocket.StatusNormalClosure, "")
	here(ann, "Ann")
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
