package main

import (
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
)

func TestTwoPeopleTalk(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Get("/").WantStatus(200)
	ann := c.Dial("/chat/tea?name=Ann")
	ann.ExpectEvent("welcome", nil)
	ann.ExpectEvent("people", nil)
	bob := c.Dial("/chat/tea?name=Bob")
	bob.ExpectEvent("welcome", nil)
	var here []person
	ann.ExpectEvent("people", &here)
	if len(here) != 2 || here[0].Name != "Ann" || here[1].Name != "Bob" {
		t.Errorf("got %+v", here)
	}
	bob.ExpectEvent("people", nil)
	ann.Emit("chat", chatInput{Text: "hello"})
	var m chatMessage
	bob.ExpectEvent("chat", &m)
	if m.Text != "hello" || m.Name != "Ann" {
		t.Errorf("got %+v", m)
	}
}
