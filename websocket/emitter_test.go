package websocket

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// gathered serves peers in a room, and hands out the sockets in the order of dialing.
func gathered(t testing.TB, n network, opts Options, peers int) (st *site, raws []*raw, sockets []*Socket) {
	t.Helper()
	opened := make(chan *Socket, 1)
	st = n.serve(t, opts, func(s *Socket) error {
		err := s.Join("room")
		opened <- s
		return err
	})
	for range peers {
		raws = append(raws, st.raw(t))
		sockets = append(sockets, wait(t, opened, "the handler"))
	}
	return st, raws, sockets
}

// hear checks that each peer gets the text if want names it, and nothing before "end".
func hear(t *testing.T, srv *Server, peers []*raw, text string, want ...int) {
	t.Helper()
	srv.All().Send("end")
	for i, peer := range peers {
		if slices.Contains(want, i) {
			peer.expect(wire.OpText, text)
		}
		peer.expect(wire.OpText, "end")
	}
}

func TestEmitterExcept(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peers, s := gathered(t, n, Options{}, 4)
		s[3].Leave("room")
		s[3].Join("other")
		base := st.srv.To("room").Except(s[0].ID())
		for _, c := range []struct {
			e    Emitter
			want []int
		}{
			{base, []int{1, 2}},
			{base.Except(s[1].ID()), []int{2}},
			{base.Except(s[2].ID()), []int{1}},
			{base, []int{1, 2}}, // which the two before have not changed
			{base.Except(s[1].ID(), s[2].ID()), nil},
			{base.Except("nobody", "", s[3].ID()), []int{1, 2}},
			{base.To("other").Except(s[2].ID()), []int{1, 3}},
			{s[1].To("room").Except(s[2].ID()), []int{0}},
			{s[1].Others().Except(s[1].ID()), []int{0, 2, 3}},
			{st.srv.All().Except(s[0].ID(), s[3].ID()), []int{1, 2}},
		} {
			if err := c.e.Send("text"); err != nil {
				t.Fatal(err)
			}
			hear(t, st.srv, peers, "text", c.want...)
		}
	})
}

func TestEmitterExceptRooms(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peers, s := gathered(t, n, Options{}, 4)
		s[1].Join("quiet")
		s[2].Join("away")
		s[3].Leave("room")
		for _, c := range []struct {
			e    Emitter
			want []int
		}{
			{st.srv.To("room").ExceptRooms("quiet"), []int{0, 2}},
			{st.srv.To("room").ExceptRooms("quiet", "away"), []int{0}},
			{st.srv.To("room").ExceptRooms("quiet").ExceptRooms("away", "nowhere"), []int{0}},
			{st.srv.All().ExceptRooms("away"), []int{0, 1, 3}},
			{s[0].Others().ExceptRooms("away").Except(s[3].ID()), []int{1}},
			{s[0].To("room").ExceptRooms("room"), nil},
		} {
			c.e.Send("text")
			hear(t, st.srv, peers, "text", c.want...)
		}
	})
}

// An id finds a socket of its namespace, and of any with the server's All.
func TestEmitterToID(t *testing.T) {
	st := inMemory.serveNamespaces(t, Options{}, greetAndJoin)
	_, a1, gotA1 := st.member(t, "a")
	_, a2, gotA2 := st.member(t, "a")
	_, b, gotB := st.member(t, "b")
	got := []<-chan string{gotA1, gotA2, gotB}
	for i, c := range []struct {
		e    Emitter
		want []int
	}{
		{a1.Others().ToID(a2.ID()), []int{1}},
		{a1.Others().ToID(a1.ID()), nil},
		{a1.Others().ToID(b.ID()), nil},
		{a1.Volatile().ToID(a2.ID()), []int{1}},
		{st.srv.Namespace("a").All().ToID(a1.ID()).ToID(a2.ID()).ToID(a1.ID()), []int{0, 1}},
		{st.srv.Namespace("a").All().ToID("nobody"), nil},
		{st.srv.Namespace("b").To("nowhere").ToID(a1.ID()), nil},
		{b.To("lobby").ToID(b.ID()), nil},
		{st.srv.Namespace("b").To("lobby").ToID(b.ID()), []int{2}},
		{st.srv.All().ToID(b.ID()).ToID(a1.ID()), []int{0, 2}},
		{st.srv.To("lobby").ToID(a1.ID()), nil},
	} {
		c.e.Send("text")
		st.srv.All().Send("end")
		for k := range got {
			if slices.Contains(c.want, k) {
				if text := wait(t, got[k], "the text"); text != "text" {
					t.Errorf("case %d: %d got %q", i, k, text)
				}
			}
			if text := wait(t, got[k], "the end"); text != "end" {
				t.Errorf("case %d: %d got %q", i, k, text)
			}
		}
	}
}

// Who takes nothing misses volatile messages; everybody else gets them, and so does he
// when he reads again. Nothing else is lost, and the order is kept.
func TestEmitterVolatile(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		opened := make(chan *Socket, 1)
		st := n.serve(t, Options{SendQueue: 64 << 20, WriteTimeout: -1, PingInterval: -1}, func(s *Socket) error {
			err := s.Join("room")
			opened <- s
			return err
		})
		deaf := st.connect(t)
		deaf.shake()
		slow := wait(t, opened, "the handler")
		hearing := st.raw(t)
		wait(t, opened, "the handler")
		backlog := strings.Repeat("x", 16<<20) // more than systems take for a peer that does not read
		slow.Send(backlog)
		sent := 0
		for ; st.srv.Stats().Dropped == 0; sent++ {
			text := numbered(sent, 1000)
			st.srv.To("room").Volatile().Send(text)
			hearing.expect(wire.OpText, text)
		}
		before := slow.Buffered()
		slow.Volatile().Emit("alone")
		slow.Volatile().To("room").Send("to the other")
		hearing.expect(wire.OpText, "to the other")
		if got := slow.Buffered(); got != before {
			t.Errorf("volatile messages made %d bytes of %d that wait", got, before)
		}
		st.srv.To("room").Send("not volatile")
		if got := slow.Buffered(); got <= before {
			t.Error("a message that is not volatile was dropped")
		}
		go deaf.read(deaf.reader)
		deaf.expect(wire.OpText, backlog)
		for i := range sent - 1 {
			deaf.expect(wire.OpText, numbered(i, 1000))
		}
		deaf.expect(wire.OpText, "not volatile")
		slow.Volatile().Send("again")
		deaf.expect(wire.OpText, "again")
	})
}

func TestEmitterJoinsAndLeavesRooms(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peers, s := gathered(t, n, Options{MaxRoomsPerSocket: 3}, 3)
		in := func(room string) (list []int) {
			for i := range s {
				if slices.Contains(st.srv.SocketsIn(room), s[i]) {
					list = append(list, i)
				}
			}
			return list
		}
		if err := s[0].To("room").Join("a", "b"); err != nil || !slices.Equal(in("a"), []int{1, 2}) || !slices.Equal(in("b"), []int{1, 2}) {
			t.Errorf("%v; in the rooms are %v and %v", err, in("a"), in("b"))
		}
		if err := st.srv.To("room").Join("c", ""); !errors.Is(err, ErrRoomName) || in("c") != nil {
			t.Errorf("%v; in the room are %v", err, in("c"))
		}
		if err := st.srv.To("room").Join("c"); !errors.Is(err, ErrRoomLimit) || !slices.Equal(in("c"), []int{0}) {
			t.Errorf("%v; in the room are %v", err, in("c"))
		}
		st.srv.To("a").Except(s[1].ID()).Leave("a", "b", "nowhere")
		if !slices.Equal(in("a"), []int{1}) || !slices.Equal(in("b"), []int{1}) {
			t.Errorf("in the rooms are %v and %v", in("a"), in("b"))
		}
		st.srv.All().Leave("a", "b", "c", "room")
		if got := st.srv.Rooms(); len(got) != 0 {
			t.Errorf("rooms are %q", got)
		}
		peers[0].alive()
	})
}

func TestEmitterSockets(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, _, s := gathered(t, n, Options{}, 3)
		s[2].Join("other")
		for i, c := range []struct {
			e    Emitter
			want []*Socket
		}{
			{st.srv.To("room"), s},
			{st.srv.To("room").To("other"), s},
			{st.srv.To("other"), s[2:]},
			{s[2].To("room").To("other"), s[:2]},
			{s[2].To("other"), nil},
			{st.srv.All(), s},
			{s[1].Others().Except(s[0].ID()), s[2:]},
			{s[1].Volatile(), s[1:2]},
			{Emitter{}, nil},
		} {
			got := c.e.Sockets()
			if len(got) != len(c.want) || slices.ContainsFunc(got, func(s *Socket) bool { return !slices.Contains(c.want, s) }) {
				t.Errorf("case %d: %d sockets, want %d", i, len(got), len(c.want))
			}
			clear(got) // is the caller's
		}
		if got := st.srv.Sockets(); slices.Contains(got, nil) {
			t.Error("the list of Sockets was the server's own")
		}
	})
}

func TestEmitterCloses(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st, peers, s := gathered(t, n, Options{}, 3)
		if err := st.srv.All().Close(1006, ""); err == nil {
			t.Error("a code that must not be sent was accepted")
		}
		peers[0].alive()
		if err := s[1].To("room").Close(4001, "moved"); err != nil {
			t.Fatal(err)
		}
		for _, i := range []int{0, 2} {
			if reason := peers[i].expectClose(4001); reason != "moved" {
				t.Errorf("reason is %q", reason)
			}
		}
		peers[1].alive()
	})
}

// A callback may close everybody, its own socket among them.
func TestEmitterClosesEverybodyInACallback(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		var srv *Server
		st := n.serve(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(Message) {
				s.Send("bye")
				srv.All().Close(4002, "all")
				if err := s.Send("late"); !errors.Is(err, ErrClosed) {
					t.Errorf("Send after Close: %v", err)
				}
			})
			s.OnClose(func(StatusCode, string) { srv.All().Close(4003, "again") })
			return nil
		})
		srv = st.srv
		peers := []*raw{st.raw(t), st.raw(t), st.raw(t)}
		eventually(t, "all sockets", func() bool { return len(srv.Sockets()) == 3 })
		peers[1].say("close")
		peers[1].expect(wire.OpText, "bye")
		for _, peer := range peers {
			peer.expectClose(4002)
		}
		eventually(t, "the end of all", func() bool { return len(srv.Sockets()) == 0 })
	})
}

// Whoever comes and goes while Emitters put everybody into rooms, nobody who has left
// is in one.
func TestEmitterJoinsWhileSocketsClose(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{Logger: quiet}, func(s *Socket) error { return s.Join("room") })
		over, joined := make(chan bool), sync.WaitGroup{}
		for i := range 2 {
			joined.Go(func() {
				for {
					select {
					case <-over:
						return
					default:
						if err := st.srv.To("room").Join(fmt.Sprint("side", i)); err != nil {
							t.Error(err)
						}
						st.srv.To("room").Leave("side0")
					}
				}
			})
		}
		for range 30 {
			peer := st.raw(t)
			peer.alive()
			peer.reset()
		}
		eventually(t, "the end of all sockets", func() bool { return len(st.srv.Sockets()) == 0 })
		close(over)
		joined.Wait()
		if got := st.srv.Stats().Rooms; got != 0 {
			t.Errorf("%d rooms are left: %q", got, strings.Join(st.srv.Rooms(), " "))
		}
	})
}
