package websocket

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"
)

// follower is a client in many rooms that is cut and comes back, and checks what it is told.
type follower struct {
	st  *site
	n   int
	cut sync.Mutex // one comes back at a time

	mu     sync.Mutex // guards the fields below
	now    *reader
	at     map[string]Position
	joined map[string]bool
	users  map[string]map[string]bool // by room
	wrong  []string
	done   chan struct{} // closed when the connection has been read to its end
}

// comeBack connects, and asks for what was missed.
func (c *follower) comeBack(t *testing.T) {
	r := c.st.reader(t, fmt.Sprint("User: user ", c.n/2))
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil {
		r.sync(c.now.id, c.at)
	}
	c.now, c.joined, c.users, c.done = r, make(map[string]bool), make(map[string]map[string]bool), make(chan struct{})
	go c.follow(r, c.done)
}

func (c *follower) follow(r *reader, done chan struct{}) {
	defer close(done)
	for f := range r.frames {
		var m map[string]any
		if json.Unmarshal(f.payload, &m) == nil {
			c.take(r, m)
		}
	}
}

func (c *follower) take(r *reader, m map[string]any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	room, _ := m["room"].(string)
	before, gaps := r.at[room], len(r.gaps)
	switch m["type"] {
	case "joined":
		c.joined[room] = true
	case "left":
		delete(c.joined, room)
		delete(r.at, room)
		delete(r.held, room)
		delete(c.users, room)
		return
	case "presence":
		c.present(room, m)
		return
	}
	r.take(m)
	if len(r.gaps) > gaps {
		c.wrong = append(c.wrong, fmt.Sprint("a gap in ", room))
	}
	if _, waits := r.held[room]; m["type"] == "event" && !waits && r.at[room].Offset > before.Offset+1 {
		c.wrong = append(c.wrong, fmt.Sprintf("%s: %d after %d", room, r.at[room].Offset, before.Offset))
	}
	c.at = r.at
}

func (c *follower) present(room string, m map[string]any) {
	if set := asMap(m["set"]); set != nil {
		c.users[room] = make(map[string]bool)
		m["join"] = set
	}
	users := c.users[room]
	if users == nil {
		return // it is not told of all yet
	}
	for id := range asMap(m["join"]) {
		users[id] = true
	}
	left, _ := m["leave"].([]any)
	for _, id := range left {
		if !users[id.(string)] {
			c.wrong = append(c.wrong, fmt.Sprintf("%s has left %s and was not there", id, room))
		}
		delete(users, id.(string))
	}
}

// knows reports whether it knows all of the rooms that it is in.
func (c *follower) knows(t *testing.T) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.st.srv.Socket(c.now.id)
	if s == nil || len(s.Rooms()) != len(c.joined) {
		return false
	}
	for room := range c.joined {
		at, _ := c.st.srv.Position(t.Context(), room)
		there, _ := c.st.srv.Presence(t.Context(), room)
		if c.now.at[room] != at || len(there) != len(c.users[room]) {
			return false
		}
		for _, p := range there {
			if !c.users[room][p.User] {
				return false
			}
		}
	}
	return true
}

// Many clients are in many rooms, are cut, come back, join and leave, while others emit.
// Each has each event once and in order, and knows who is there.
func TestManyRoomsThroughCutsJoinsAndLeaves(t *testing.T) {
	const followers, rooms, each, emits = 40, 30, 6, 1500
	name := func(i int) string { return fmt.Sprint("room ", i%rooms) }
	srv := NewServer(Options{
		Rooms:        Rooms{"room*": {History: History{Messages: emits}, Presence: true, LeaveDelay: 100 * time.Millisecond}},
		PingInterval: -1, WriteTimeout: -1, SendQueue: 8 << 20, Logger: quiet,
	})
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, r *http.Request) {
		h.Socket().SetUser(r.Header.Get("User"), nil)
		h.Open(func(s *Socket) error {
			id, _ := s.User()
			for j := range each {
				s.Join(name(len(id)*7 + int(id[len(id)-1]) + 5*j))
			}
			return nil
		})
	})
	all := make([]*follower, followers)
	for i := range all {
		all[i] = &follower{st: st, n: i}
		all[i].comeBack(t)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range emits / 4 {
				srv.To(name(rand.IntN(rooms))).To(name(rand.IntN(rooms))).Emit("n", i)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 60 {
				c := all[rand.IntN(followers)]
				c.cut.Lock()
				c.now.conn.Close()
				<-c.done
				c.comeBack(t)
				c.cut.Unlock()
			}
		})
		wg.Go(func() {
			for range 300 {
				if in := srv.SocketsIn(name(rand.IntN(rooms))); len(in) > 0 {
					s := in[rand.IntN(len(in))]
					s.Leave(name(rand.IntN(rooms)))
					s.Join(name(rand.IntN(rooms)))
				}
			}
		})
	}
	wg.Wait()
	eventually(t, "all to know what has happened", func() bool {
		for _, c := range all {
			if !c.knows(t) {
				return false
			}
		}
		return true
	})
	for _, c := range all {
		for _, wrong := range c.wrong {
			t.Errorf("client %d: %s", c.n, wrong)
		}
	}
}
