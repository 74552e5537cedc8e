package websocket

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// reader is a client that does about positions what docs/protocol.md says, and not more.
type reader struct {
	*raw
	id   string
	at   map[string]Position
	held map[string][]map[string]any // of rooms whose synced is awaited
	from map[string]Position         // where that begins
	own  map[string]bool             // replays that the server has begun by itself
	got  []int                       // first arguments of events
	gaps []string
}

func (st *site) reader(t *testing.T, lines ...string) *reader {
	c := &reader{raw: st.raw(t, append(lines, speaking)...), at: make(map[string]Position), held: make(map[string][]map[string]any), from: make(map[string]Position), own: make(map[string]bool)}
	c.id = c.hello()["id"].(string)
	return c
}

// sync asks for what came after the positions.
func (c *reader) sync(was string, at map[string]Position) {
	for room, p := range at {
		c.at[room], c.held[room] = p, []map[string]any{}
	}
	text, _ := json.Marshal(at)
	c.say(fmt.Sprintf(`{"type":"sync","was":%q,"rooms":%s}`, was, text))
}

// read takes messages up to a text.
func (c *reader) read(end string) {
	for {
		f, ok := c.next()
		if !ok {
			c.t.Fatal("connection ended")
		}
		if string(f.payload) == end {
			return
		}
		var m map[string]any
		if err := json.Unmarshal(f.payload, &m); err != nil {
			c.t.Fatalf("frame is %s", f.payload)
		}
		c.take(m)
	}
}

func (c *reader) take(m map[string]any) {
	room, _ := m["room"].(string)
	held, waits := c.held[room]
	var told Position
	if m["epoch"] != nil {
		told = Position{Epoch: m["epoch"].(string), Offset: int64(m["offset"].(float64))}
	}
	switch m["type"] {
	case "joined":
		if c.own[room] = m["replayed"] == true; waits {
			c.from[room] = told
		} else {
			c.at[room] = told
		}
	case "event":
		if waits && (m["replayed"] == nil || c.own[room]) {
			c.held[room] = append(held, m)
			return
		}
		c.event(room, m)
	case "synced":
		if waits && c.own[room] {
			c.own[room] = false
			return
		}
		if recovered := m["recovered"] == true; !recovered {
			c.gaps = append(c.gaps, room)
			c.at[room] = told
			if from, in := c.from[room]; in && waits {
				c.at[room] = from
			}
		} else if told.Offset > c.at[room].Offset {
			c.at[room] = told
		}
		delete(c.held, room)
		delete(c.from, room)
		for _, m := range held {
			c.event(room, m)
		}
	}
}

func (c *reader) event(room string, m map[string]any) {
	p, offset := c.at[room], int64(m["offset"].(float64))
	if offset > p.Offset {
		c.at[room] = Position{Epoch: p.Epoch, Offset: offset}
		c.got = append(c.got, int(m["data"].([]any)[0].(float64)))
	}
}

func TestWhoFollowsTheProtocolGetsEachEventOnce(t *testing.T) {
	const room = "room a"
	for _, test := range []struct {
		name       string
		told, from int  // -1: none
		late       bool // it joins after the client has told its position
		private    bool
		want       []int
		gaps       int
	}{
		{name: "Join", told: -1, from: -1, want: []int{6}},
		{name: "JoinFrom", told: -1, from: 2, want: []int{3, 4, 5, 6}},
		{name: "JoinFrom the newest", told: -1, from: 5, want: []int{6}},
		{name: "JoinFrom a position that is too old", told: -1, from: 0, want: []int{6}, gaps: 1},
		{name: "sync", told: 3, from: -1, want: []int{4, 5, 6}},
		{name: "sync before the join", told: 3, from: -1, late: true, want: []int{4, 5, 6}},
		{name: "JoinFrom, sync of a newer position", told: 3, from: 1, want: []int{4, 5, 6}},
		{name: "JoinFrom, sync of an older position", told: 2, from: 4, want: []int{3, 4, 5, 6}},
		{name: "sync of a newer position, JoinFrom", told: 3, from: 1, late: true, want: []int{4, 5, 6}},
		{name: "sync of an older position, JoinFrom", told: 2, from: 4, late: true, want: []int{3, 4, 5, 6}},
		{name: "JoinFrom, sync of a position that is too old", told: 0, from: 3, want: []int{4, 5, 6}, gaps: 1},
		{name: "sync of a position that is too old, JoinFrom", told: 0, from: 3, late: true, want: []int{4, 5, 6}, gaps: 1},
		{name: "JoinFrom and sync of positions that are too old", told: 0, from: 0, want: []int{6}, gaps: 1},
		{name: "sync and JoinFrom of positions that are too old", told: 0, from: 0, late: true, want: []int{6}, gaps: 1},
		{name: "JoinFrom in private", told: -1, from: 2, private: true, want: []int{3, 4, 5, 6}},
		{name: "sync of a newer position, JoinFrom in private", told: 3, from: 1, late: true, private: true, want: []int{4, 5, 6}},
		{name: "sync of an older position, JoinFrom in private", told: 2, from: 4, late: true, private: true, want: []int{5, 6}, gaps: 1},
		{name: "JoinFrom, sync of an older position in private", told: 2, from: 4, private: true, want: []int{5, 6}, gaps: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			join := make(chan *Socket, 1)
			var epoch string
			enter := func(s *Socket) error {
				if test.from < 0 {
					return s.Join(room)
				}
				_, err := s.JoinFrom(s.Context(), room, Position{Epoch: epoch, Offset: int64(test.from)})
				return err
			}
			st := overTCP.serve(t, keeping(History{Messages: 4, Private: test.private}), func(s *Socket) error {
				if test.late {
					join <- s
					return nil
				}
				return enter(s)
			})
			for n := range 5 {
				st.srv.To(room).Emit("n", n+1)
			}
			at, _ := st.srv.Position(t.Context(), room)
			epoch = at.Epoch
			c := st.reader(t)
			if test.told >= 0 {
				c.sync("", map[string]Position{room: {Epoch: epoch, Offset: int64(test.told)}})
			}
			c.say(`{"type":"ping","t":1}`)
			c.read(`{"type":"pong","t":1}`)
			if test.late {
				if err := enter(<-join); err != nil {
					t.Fatal(err)
				}
			}
			st.srv.To(room).Emit("n", 6)
			st.srv.All().Send("end")
			c.read("end")
			if !slices.Equal(c.got, test.want) || len(c.gaps) != test.gaps {
				t.Errorf("it got %v and %d gaps, want %v and %d", c.got, len(c.gaps), test.want, test.gaps)
			}
		})
	}
}

// Who is in a room already, and loads its state anew, gets what came after that.
func TestJoinFromOfAMemberReplays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := inMemory.serve(t, keeping(History{Messages: 10, Age: time.Hour}), func(s *Socket) error { return s.Join("room a") })
		c := st.reader(t)
		synctest.Wait() // until the handler has joined
		for n := range 3 {
			st.srv.To("room a").Emit("n", n+1)
		}
		at, _ := st.srv.Position(t.Context(), "room a")
		at.Offset = 1
		if recovered, err := st.srv.Socket(c.id).JoinFrom(t.Context(), "room a", at); !recovered || err != nil {
			t.Errorf("JoinFrom: %v, %v", recovered, err)
		}
		st.srv.All().Send("end")
		c.read("end")
		if !slices.Equal(c.got, []int{1, 2, 3, 2, 3}) {
			t.Errorf("it got %v", c.got)
		}
		st.settle()
	})
}
