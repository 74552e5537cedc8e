package main

import (
	"strings"
	"testing"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// Who watches sees what the visitors do, by route and event.
func TestThePageIsToldWhatIsCounted(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann, bob := c.Dial("/play/red"), c.Dial("/play/red")
	if _, err := bob.Request(t.Context(), "report"); err != nil { // he is in the room now
		t.Fatal(err)
	}
	ann.Emit("move", position{0.5, 0.5})
	ann.Emit("chat", line{"hello"})
	bob.ExpectEvent("moved", nil)
	bob.ExpectEvent("chat", nil)
	ann.Emit("picture", []byte("pixels"))
	var picture []byte
	if bob.ExpectEvent("picture", &picture); string(picture) != "pixels" {
		t.Errorf("the picture is %q", picture)
	}

	watcher := c.Dial("/live")
	for {
		var stats websocket.Stats
		watcher.ExpectEvent("stats", &stats)
		r := stats.Routes["/play/:room"]
		if r.Events["move"].Count == 1 && r.Events["chat"].Count == 1 && r.Events["report"].P50 > 0.01 {
			if r.Connections != 2 || stats.Routes["/live"].Connections != 1 || r.Workers.Count+r.Inline.Count == 0 {
				t.Errorf("got %+v", stats.Routes)
			}
			return
		}
	}
}

func TestWhatVisitorsSayIsChecked(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	s := c.Dial("/play/red")
	for event, in := range map[string]any{"move": position{2, 0}, "chat": line{strings.Repeat("x", 300)}} {
		if _, err := s.Request(t.Context(), event, in); err == nil {
			t.Errorf("%s is taken", event)
		}
	}
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, path := range []string{"/", "/app.js", "/chart.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
