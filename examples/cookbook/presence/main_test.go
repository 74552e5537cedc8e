package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func enter(c *nextrushtest.Client, name string) *nextrushtest.Socket {
	return c.Dial("/here?name="+name, &websocket.DialOptions{Protocols: []string{websocket.Protocol}})
}

// told waits until a socket is told that exactly these have come, or gone.
func told(t *testing.T, s *nextrushtest.Socket, come, gone string) {
	t.Helper()
	for {
		var m struct {
			Type  string
			Join  map[string]any
			Leave []string
		}
		if err := s.Next().JSON(&m); err != nil {
			t.Fatal(err)
		}
		names := strings.Join(slices.Sorted(maps.Keys(m.Join)), " ")
		if m.Type == "presence" && names == come && strings.Join(m.Leave, " ") == gone {
			return
		}
	}
}

func TestPeopleComeAndGoOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := nextrushtest.New(t, newApp())
		ann := enter(c, "ann")
		told(t, ann, "", "") // all who are there: herself
		bob, again := enter(c, "bob"), enter(c, "bob")
		told(t, ann, "bob", "")
		bob.Close(websocket.StatusNormalClosure, "")
		enter(c, "carl")
		told(t, ann, "carl", "") // and not that bob has gone
		var users []websocket.Present
		c.Get("/who").WantStatus(200).JSON(&users)
		if len(users) != 3 || users[1].User != "bob" {
			t.Errorf("got %v", users)
		}
		again.Close(websocket.StatusNormalClosure, "")
		told(t, ann, "", "bob")
	})
}

func TestWhatOneSaysOfHimselfIsShown(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	ann := enter(c, "ann")
	told(t, ann, "", "")
	bob := enter(c, "bob")
	told(t, ann, "bob", "")
	bob.Send(json.RawMessage(`{"type":"presence","room":"page","data":{"away":true}}`))
	for !strings.Contains(ann.Next().Text(), `"away":true`) {
	}
}

func TestWhoHasNoNameIsToldSo(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	c.Dial("/here").ExpectClose(4422)
}

func TestThePageIsServed(t *testing.T) {
	c := nextrushtest.New(t, newApp())
	for _, path := range []string{"/", "/app.js", "/style.css", "/nextrush.js"} {
		c.Get(path).WantStatus(200)
	}
}
