package main

import (
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

const secret = "thirty-two bytes or more for HS256"

// enter logs in as the form does, and opens the chat as the page does.
func enter(t *testing.T, c *nextrushtest.Client, name, password string) *nextrushtest.Socket {
	t.Helper()
	browser := c.WithCookies()
	browser.Post("/login", "name="+name+"&password="+password).WantStatus(303).WantHeader("Location", "/")
	var me struct{ ID string }
	if browser.Get("/me").JSON(&me); me.ID != name {
		t.Errorf("%s is %q", name, me.ID)
	}
	return browser.Dial("/chat", &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
}

// until returns the next message with this text in it.
func until(s *nextrushtest.Socket, text string) string {
	for {
		if got := s.Next().Text(); strings.Contains(got, text) {
			return got
		}
	}
}

func TestPeopleWhoHaveLoggedInTalk(t *testing.T) {
	c := nextrushtest.New(t, newApp(secret))
	ann := enter(t, c, "ann", "correct-horse")
	ann.Emit("say", message{From: "bob", Text: "hello"})
	if got := until(ann, `"said"`); !strings.Contains(got, `{"from":"ann","text":"hello"}`) {
		t.Error(got)
	}
	bob := enter(t, c, "bob", "battery-staple") // who is shown what was said before
	if got := until(bob, `"said"`); !strings.Contains(got, "hello") || !strings.Contains(got, `"replayed":true`) {
		t.Error(got)
	}
	until(ann, `"bob"`) // has come
}

func TestStrangersAreNotLetIn(t *testing.T) {
	c := nextrushtest.New(t, newApp(secret))
	for _, form := range []string{"name=ann&password=battery-staple", "name=eve&password=correct-horse", ""} {
		c.Post("/login", form).WantStatus(303).WantHeader("Location", "/?failed").WantHeader("Set-Cookie", "")
	}
	c.With("Origin", "https://evil.test").Post("/login", "name=ann&password=correct-horse").WantStatus(403)
	c.Get("/me").WantStatus(200).WantText("null\n")
	if e := c.DialError("/chat"); e.Status != 401 {
		t.Error(e)
	}
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp(secret))
	for _, path := range []string{"/", "/app.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
