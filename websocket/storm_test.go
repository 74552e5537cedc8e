package websocket

import (
	"context"
	"sync"
	"testing"
	"time"
)

// TestStorm has hundreds of sockets join, leave, send, broadcast, panic and
// close while the server shuts down. A bystander is served all the while.
func TestStorm(t *testing.T) {
	const peers = 200
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{Logger: quiet, DrainWindow: 100 * time.Millisecond}, stormy)
		bystander := st.raw(t)
		var all sync.WaitGroup
		for i := range peers {
			all.Go(func() { storm(st, i) })
		}
		for range 20 {
			bystander.write(client("1 000 1001", "still there?"))
			for f, ok := bystander.next(); ; f, ok = bystander.next() {
				if !ok {
					t.Fatal("the bystander was cut off")
				}
				if string(f.payload) == "still there?" {
					break
				}
			}
		}
		all.Go(func() { bystander.expectClose(StatusGoingAway) })
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := st.srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		st.http.Close() // those that came too late wait on it
		all.Wait()
		got := st.srv.Stats()
		if got.Connections != 0 || got.Rooms != 0 || got.QueuedBytes != 0 {
			t.Errorf("left behind: %+v", got)
		}
	})
}

// stormy does what its messages say.
func stormy(s *Socket) error {
	s.OnMessage(func(m Message) {
		switch m.Text() {
		case "join":
			s.Join("a")
			s.Join("b")
		case "leave":
			s.Leave("a")
		case "room":
			s.To("a").To("b").Send("room")
		case "all":
			s.Broadcast("all")
		case "panic":
			panic("storm")
		case "close":
			s.Close(4000, "storm")
		}
	})
	s.OnClose(func(StatusCode, string) {
		s.Broadcast("gone", "a")
		if s.ID()[0] < 'H' {
			panic("storm")
		}
	})
	return nil
}

// storm is one peer's part; it reads whatever comes and ends in its own way.
func storm(st *site, i int) {
	conn, err := st.conn()
	if err != nil {
		return
	}
	defer conn.Close()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		buf := make([]byte, 4<<10)
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	if _, err := conn.Write([]byte(greeting())); err != nil {
		return
	}
	for _, word := range []string{"join", "room", "all", "leave", "join", "room"} {
		if _, err := conn.Write(client("1 000 0001", word)); err != nil {
			return
		}
	}
	switch i % 4 {
	case 0:
		conn.Write(client("1 000 0001", "panic"))
	case 1:
		conn.Write(client("1 000 0001", "close"))
	case 2:
		return
	}
	conn.Write(client("1 000 1000", closePayload(1000, "")))
	<-drained
}
