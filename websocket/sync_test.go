package websocket

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Names that a peer makes up take no memory: neither in a leave, nor in a sync.
func TestNamesFromPeersMakeNoRooms(t *testing.T) {
	for _, presence := range []bool{false, true} {
		t.Run(fmt.Sprint("presence: ", presence), func(t *testing.T) {
			opts := Options{Rooms: Rooms{"room*": {History: History{Messages: 10}, Presence: presence,
				Join: func(s *Socket, room string) error { return &EventError{Message: "members only"} }}}, Logger: quiet}
			st := inMemory.serve(t, opts, func(s *Socket) error { return nil })
			c := st.raw(t, speaking)
			id := c.hello()["id"].(string)
			for i := range 2000 {
				c.say(fmt.Sprintf(`{"type":"leave","room":"room %d"}`, i))
				c.say(fmt.Sprintf(`{"type":"presence","room":"room %d"}`, i))
				c.say(fmt.Sprintf(`{"type":"join","room":"room %d"}`, i))
			}
			long := "room " + strings.Repeat("x", 1<<16)
			for i := range 200 {
				c.say(fmt.Sprintf(`{"type":"sync","rooms":{"%s%d":["e",0]}}`, long, i))
				c.hear(fmt.Sprintf(`{"type":"synced","room":"%s%d","recovered":false}`, long, i))
			}
			c.alive()
			if n, _ := st.srv.told.Size(); n != 0 {
				t.Errorf("there are %d rooms that nobody is in", n)
			}
			s := st.srv.Socket(id)
			if n := s.session().pending.Claims(); n != 0 {
				t.Fatalf("%d long names are kept", n)
			}
		})
	}
}

// Whoever is taken out of a room while he asks for what he has missed stays out.
func TestSyncDoesNotRejoin(t *testing.T) {
	st := inMemory.serve(t, keeping(History{Messages: 10}), func(s *Socket) error { return nil })
	c := st.raw(t, speaking)
	s := st.srv.Socket(c.hello()["id"].(string))
	go func() {
		for range c.frames { // it is told of each join
		}
	}()
	sync := []byte(`{"type":"sync","rooms":{"room a":["e",0]}}`)
	for i := range 8_000 {
		if err := s.Join("room a"); err != nil {
			t.Fatal(err)
		}
		done := make(chan bool)
		go func() {
			s.conn.Owner().(*session).Message(wire.OpText, sync)
			close(done)
		}()
		s.Leave("room a")
		<-done
		if len(s.Rooms()) != 0 {
			t.Fatalf("it is in %q again after %d tries", s.Rooms(), i)
		}
	}
}

// Who is in a room is found in a time that does not depend on the number of tenants.
func TestManyTenantsWithHistory(t *testing.T) {
	const tenants = 20_000
	srv := NewServer(keeping(History{Messages: 1}))
	defer srv.Close()
	all := make([]*Namespace, tenants)
	for i := range all {
		all[i] = srv.Namespace(fmt.Sprint("/t/", i))
		all[i].To("room").Emit("hi")
	}
	began := time.Now()
	for _, ns := range all {
		if len((sockets{srv}).Members(history.Key{Namespace: ns.name, Room: "room"})) > 0 {
			t.Fatalf("somebody is in the room of %s", ns.name)
		}
	}
	if took := time.Since(began); took > soon {
		t.Errorf("took %v", took)
	}
}
