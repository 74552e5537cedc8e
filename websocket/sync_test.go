package websocket

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"runtime"
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

// What all histories take is bounded with all that they hold: names, and what was compressed
// for replays with windows of many sizes.
func TestHistoriesTakeNoMoreBytesThanTheyMay(t *testing.T) {
	const most, rooms, events = 4 << 20, 300, 20
	opts := keeping(History{Messages: 100, Age: time.Hour})
	opts.RingBytes, opts.MaxRoomsPerSocket, opts.SendQueue = most, 2*rooms, 64<<20
	opts.Compression = Compression{Enabled: true}
	opts.PingInterval = -1
	st := overTCP.serve(t, opts, nil)
	name := func(i int) string { return fmt.Sprintf("room %d%s", i, strings.Repeat("x", 200)) }
	noise := make([]byte, 900)
	rand.Read(noise)
	fill := func() {
		for i := range rooms {
			for range events {
				noise[0]++
				st.srv.To(name(i)).Emit("noise", base64.StdEncoding.EncodeToString(noise))
			}
		}
	}
	before := heap()
	fill()
	if took := heap() - before; took > most*5/4 {
		t.Errorf("%d KiB are taken, want %d at most", took>>10, most>>10)
	}
	for bits := 9; bits <= 15; bits++ {
		c := st.raw(t, speaking, offer+fmt.Sprint("permessage-deflate; server_max_window_bits=", bits))
		s := st.srv.Socket(c.hello()["id"].(string))
		for i := range rooms {
			at, _ := st.srv.Position(t.Context(), name(i))
			at.Offset -= 5
			if _, err := s.JoinFrom(t.Context(), name(i), at); err != nil {
				t.Fatal(err)
			}
		}
		s.SendText("end")
		for f, ok := c.next(); string(f.payload) != "end"; f, ok = c.next() {
			if !ok {
				t.Fatal("connection ended")
			}
		}
		c.conn.Close()
	}
	eventually(t, "the end of the sockets", func() bool { return len(st.srv.Sockets()) == 0 })
	if took := heap() - before; took > most*5/4+1<<20 { // and what is left of the sockets
		t.Errorf("%d KiB are taken after replays, want %d at most", took>>10, most>>10)
	}
	runtime.KeepAlive(st)
}

// Many rooms that are asked for at once do not fill the queue: what is too much for it is
// told, and the connection goes on.
func TestSyncOfManyRoomsDoesNotEndTheConnection(t *testing.T) {
	const rooms = 20
	name := func(i int) string { return fmt.Sprint("room ", i) }
	opts := keeping(History{Messages: 100, Age: time.Hour})
	opts.PingInterval, opts.WriteTimeout = -1, -1
	st := overTCP.serve(t, opts, func(s *Socket) error {
		for i := range rooms {
			s.Join(name(i))
		}
		return nil
	})
	var at []string
	for i := range rooms {
		for range 4 {
			st.srv.To(name(i)).Emit("large", strings.Repeat("x", 100<<10))
		}
		p, _ := st.srv.Position(t.Context(), name(i))
		at = append(at, fmt.Sprintf(`%q:[%q,0]`, name(i), p.Epoch))
	}
	c := st.connect(t)
	c.shake(speaking)
	c.say(`{"type":"sync","rooms":{` + strings.Join(at, ",") + `}}`)
	c.say(`{"type":"ping","t":1}`)
	go c.read(c.reader)
	c.hello()
	recovered, replayed := map[bool]int{}, 0
	for {
		m := c.json()
		if m["type"] == "pong" {
			break
		}
		if m["type"] == "synced" {
			recovered[m["recovered"] == true]++
		}
		if m["replayed"] == true {
			replayed++
		}
	}
	if recovered[true] == 0 || recovered[true]+recovered[false] != rooms || replayed != 4*recovered[true] {
		t.Errorf("%v are recovered, with %d events", recovered, replayed)
	}
}

// Every room that a client asks for is answered, and whoever asks for more than there can be
// is no client of ours.
func TestASyncListsOnlySoManyRooms(t *testing.T) {
	list := func(n int) string {
		var at []string
		for i := range n {
			at = append(at, fmt.Sprintf(`"room %d":["e",0]`, i))
		}
		return `{"type":"sync","rooms":{` + strings.Join(at, ",") + `}}`
	}
	opts := keeping(History{Messages: 10})
	opts.MaxRoomsPerSocket = 10
	st := overTCP.serve(t, opts, nil)
	c := st.raw(t, speaking)
	c.hello()
	c.say(list(1024))
	c.say(`{"type":"ping","t":1}`)
	for range 1024 - opts.MaxRoomsPerSocket {
		if m := c.json(); m["type"] != "synced" || m["recovered"] != false || m["epoch"] != nil {
			t.Fatalf("frame is %v", m)
		}
	}
	c.hear(`{"type":"pong","t":1}`)
	c.say(list(1025))
	if reason := c.expectClose(StatusPolicyViolation); reason != "sync of more than 1024 rooms" {
		t.Errorf("the reason is %q", reason)
	}
	if n, _ := st.srv.told.Size(); n != 0 {
		t.Errorf("%d rooms were made", n)
	}
	opts.MaxRoomsPerSocket = 2000
	st = overTCP.serve(t, opts, nil)
	c = st.raw(t, speaking)
	c.hello()
	c.say(list(2000))
	c.say(`{"type":"ping","t":1}`)
	c.hear(`{"type":"pong","t":1}`)
	c.say(list(2001))
	c.expectClose(StatusPolicyViolation)
}
