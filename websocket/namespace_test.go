package websocket

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
)

// serveNamespaces serves each socket in the namespace that its request names.
func (n network) serveNamespaces(t testing.TB, opts Options, h func(*Socket) error) *site {
	opts.DisablePolling = n.portable
	srv := NewServer(opts)
	return n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		srv.Namespace(r.Header.Get("Namespace")).Upgrade(w, r, h)
	})
}

// member dials a socket of a namespace that keeps what it gets, and waits until it is
// in its room.
func (st *site) member(t testing.TB, ns string) (client *Socket, server *Socket, got <-chan string) {
	t.Helper()
	texts := make(chan string, 100)
	client = st.dial(t, DialOptions{Header: http.Header{"Namespace": {ns}}})
	client.OnMessage(func(m Message) { texts <- m.Text() })
	id := wait(t, texts, "the greeting")
	return client, st.srv.Socket(id), texts
}

// greetAndJoin tells the socket its id when it is in a room.
func greetAndJoin(s *Socket) error {
	if err := s.Join("lobby"); err != nil {
		return err
	}
	return s.Send(s.ID())
}

// A room of one namespace has nothing to do with one of the same name in another.
func TestNamespaceRooms(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serveNamespaces(t, Options{}, greetAndJoin)
		_, a1, gotA1 := st.member(t, "a")
		_, a2, gotA2 := st.member(t, "a")
		_, b, gotB := st.member(t, "b")
		_, d, gotD := st.member(t, "")
		all := map[string]<-chan string{"a1": gotA1, "a2": gotA2, "b": gotB, "default": gotD}
		a, srv := st.srv.Namespace("a"), st.srv
		for i, c := range []struct {
			send func(v any) error
			to   []string
		}{
			{a.To("lobby").Send, []string{"a1", "a2"}},
			{a.All().Send, []string{"a1", "a2"}},
			{func(v any) error { return a.Broadcast(v) }, []string{"a1", "a2"}},
			{func(v any) error { return a.Broadcast(v, "lobby", "nowhere") }, []string{"a1", "a2"}},
			{a1.To("lobby").Send, []string{"a2"}},
			{a1.Others().Send, []string{"a2"}},
			{func(v any) error { return a2.Broadcast(v) }, []string{"a1"}},
			{b.To("lobby").Send, nil},
			{b.Others().Send, nil},
			{func(v any) error { return b.Broadcast(v) }, nil},
			{d.Others().Send, nil},
			{srv.To("lobby").Send, []string{"default"}},
			{func(v any) error { return srv.Broadcast(v, "lobby") }, []string{"default"}},
			{srv.Namespace("").All().Send, []string{"default"}},
			{srv.All().To("lobby").Send, []string{"default"}},
			{srv.All().Send, []string{"a1", "a2", "b", "default"}},
			{func(v any) error { return srv.Broadcast(v) }, []string{"a1", "a2", "b", "default"}},
			{srv.All().Except(b.ID()).Send, []string{"a1", "a2", "default"}},
		} {
			if err := c.send(fmt.Sprint("case ", i)); err != nil {
				t.Fatal(err)
			}
			for _, name := range c.to {
				if got := wait(t, all[name], "a message"); got != fmt.Sprint("case ", i) {
					t.Errorf("case %d: %s got %q", i, name, got)
				}
			}
		}
		srv.All().Send("end") // whoever got too much has it before this
		for name, got := range all {
			if text := wait(t, got, "the end"); text != "end" {
				t.Errorf("%s got %q, which was not for it", name, text)
			}
		}
	})
}

func TestNamespaceKnowsItsSockets(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serveNamespaces(t, Options{MaxRooms: 4}, greetAndJoin)
		_, a1, _ := st.member(t, "a")
		_, a2, _ := st.member(t, "a")
		_, b, _ := st.member(t, "b")
		a := st.srv.Namespace("a")
		if a != a1.Namespace() || a != a2.Namespace() || a.Name() != "a" || b.Namespace().Name() != "b" {
			t.Error("a socket is in another namespace")
		}
		a1.Join("cellar")
		rooms := a.Rooms()
		slices.Sort(rooms)
		if !slices.Equal(rooms, []string{"cellar", "lobby"}) || len(st.srv.Rooms()) != 0 {
			t.Errorf("rooms are %q, and %q of the default namespace", rooms, st.srv.Rooms())
		}
		if len(a.SocketsIn("lobby")) != 2 || len(a.SocketsIn("cellar")) != 1 || len(a.Sockets()) != 2 || len(st.srv.Sockets()) != 3 {
			t.Errorf("%d and %d in the rooms, %d in all, %d of the server", len(a.SocketsIn("lobby")), len(a.SocketsIn("cellar")), len(a.Sockets()), len(st.srv.Sockets()))
		}
		if a.Socket(a1.ID()) != a1 || a.Socket(b.ID()) != nil || st.srv.Socket(b.ID()) != b {
			t.Error("Socket finds sockets of other namespaces")
		}
		if b.Join("one more") != nil || b.Join("too many") == nil || st.srv.Stats().Rooms != 4 {
			t.Error("MaxRooms is not for all namespaces together")
		}
		if got := len(st.srv.Namespaces()); got != 2 {
			t.Errorf("%d namespaces have somebody in them", got)
		}
	})
}

// Messages and sockets are counted where they are, and all of them by the server, also
// those of namespaces that are gone.
func TestNamespaceStats(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serveNamespaces(t, Options{}, func(s *Socket) error {
			s.OnMessage(func(m Message) { s.SendMessage(m) })
			return greetAndJoin(s)
		})
		talk := func(ns string) {
			client, s, got := st.member(t, ns)
			client.Send("one")
			client.Send("two")
			wait(t, got, "an echo")
			wait(t, got, "an echo")
			client.Close(StatusNormalClosure, "")
			eventually(t, "the end", func() bool { return st.srv.Socket(s.ID()) == nil })
		}
		client, _, got := st.member(t, "a")
		client.Send("one")
		wait(t, got, "an echo")
		talk("a")
		talk("b")
		want := NamespaceStats{Connections: 1, TotalConnections: 2, MessagesSent: 5, MessagesReceived: 3, Rooms: 1}
		eventually(t, "the count of a write", func() bool { return st.srv.Namespace("a").Stats() == want })
		counted := func() bool {
			all := st.srv.Stats()
			return all.MessagesSent == 8 && all.MessagesReceived == 5 && all.TotalConnections == 3 && all.Connections == 1
		}
		eventually(t, "the count of all", counted)
		eventually(t, "the end of b", func() bool {
			runtime.GC()
			return len(st.srv.spaces.List()) == 1
		})
		if !counted() {
			t.Errorf("without b the server counts %+v", st.srv.Stats())
		}
	})
}

// Who has not got its 101 is in its namespace's rooms with it, and never before.
func TestNamespaceIsThatOfTheAccept(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		srv := NewServer(Options{DisablePolling: n.portable})
		st := n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
			h, err := srv.Namespace("a").Accept(w, r)
			if err != nil {
				t.Error(err)
				return
			}
			s := h.Socket()
			s.Join("early")
			if s.Namespace().Name() != "a" || len(s.Namespace().SocketsIn("early")) != 0 {
				t.Error("it is in another namespace, or in a room already")
			}
			h.Open(func(s *Socket) error { return s.Send("open") })
		})
		peer := st.raw(t)
		peer.expect(1, "open")
		if len(srv.Namespace("a").SocketsIn("early")) != 1 || len(srv.SocketsIn("early")) != 0 {
			t.Error("it is not in the room of its namespace alone")
		}
	})
}

// A tenant costs next to nothing, and nothing when its last socket has left.
func TestNamespacesOfManyTenants(t *testing.T) {
	const tenants = 100_000
	srv := NewServer(Options{})
	sockets := make([]*Socket, 0, tenants)
	before := heap()
	for i := range tenants {
		srv.admit("127.0.0.1", nil)
		s := srv.Namespace(fmt.Sprint("/t/", i)).newSocket(context.Background())
		s.ip = "127.0.0.1"
		s.entered()
		sockets = append(sockets, s)
	}
	alone := (heap() - before) / tenants
	if alone > 1200 {
		t.Errorf("a tenant with one socket takes %d bytes", alone)
	}
	for _, s := range sockets {
		if err := s.Join("lobby"); err != nil {
			t.Fatal(err)
		}
	}
	for i := 0; i < tenants; i += tenants / 100 {
		ns := srv.Namespace(fmt.Sprint("/t/", i))
		if got := ns.SocketsIn("lobby"); len(got) != 1 || got[0] != sockets[i] || ns.To("lobby").Sockets()[0] != sockets[i] {
			t.Fatalf("tenant %d has %d sockets in its room", i, len(got))
		}
	}
	if got := len(srv.Sockets()); got != tenants {
		t.Errorf("%d sockets", got)
	}
	for _, s := range sockets {
		(*owner)(s).Left()
	}
	sockets = nil
	eventually(t, "the end of the namespaces", func() bool {
		runtime.GC()
		return srv.spaces.Known() == 0
	})
	if got := srv.Stats(); got.Connections != 0 || got.Rooms != 0 || got.TotalConnections != tenants {
		t.Errorf("left: %+v", got)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// While somebody holds a namespace it is the same one, whoever comes and goes.
func TestNamespacesAreMadeAndForgottenAtOnce(t *testing.T) {
	srv := NewServer(Options{})
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 2000 {
				name := fmt.Sprint(i % 7)
				ns := srv.Namespace(name)
				if again := srv.Namespace(name); again != ns || ns.Name() != name {
					t.Errorf("namespace %s is two", name)
				}
				if i%200 == 0 {
					runtime.GC()
				}
				runtime.KeepAlive(ns)
			}
		})
	}
	all.Wait()
}

func TestNamespaceOfAClientIsEmpty(t *testing.T) {
	st := inMemory.serve(t, Options{}, greetAndJoin)
	s := st.dial(t, DialOptions{})
	ns := s.Namespace()
	s.Join("room")
	if _, err := ns.Accept(nil, nil); err == nil || ns.Socket(s.ID()) != nil || len(ns.Sockets()) != 0 || ns.All().Send("x") != nil || ns.To("room").Join("other") != nil {
		t.Error("a client's namespace has somebody in it")
	}
}

// Namespaces come and go under sockets that join, ask, leave and are cut, and nothing of
// them is left.
func TestStormOfNamespaces(t *testing.T) {
	const peers, names = 120, 5
	run(t, func(t *testing.T, n network) {
		st := n.serveNamespaces(t, Options{Logger: quiet, CloseTimeout: 200 * time.Millisecond}, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				ctx, cancel := context.WithCancel(s.Context())
				cancel()
				for range s.Others().Request(ctx, "who") {
					break
				}
				s.Namespace().To("lobby").Join(m.Text())
				s.Others().Leave("b")
				s.To("lobby").Volatile().Send(m)
			})
			s.OnClose(func(StatusCode, string) { s.Others().Send(s.Rooms()) })
			return s.Join("lobby")
		})
		over, watching := make(chan bool), sync.WaitGroup{}
		watching.Go(func() {
			for {
				select {
				case <-over:
					return
				default:
				}
				for _, ns := range st.srv.Namespaces() {
					ns.Stats()
					ns.Rooms()
					ns.Broadcast("all")
					st.srv.All().ToID("nobody").Send("none")
				}
				if st.srv.Stats().MessagesReceived < 0 {
					t.Error("messages are counted below 0")
				}
				runtime.GC()
			}
		})
		var all sync.WaitGroup
		for i := range peers {
			all.Go(func() {
				conn, err := st.conn()
				if err != nil {
					return
				}
				defer conn.Close()
				go io.Copy(io.Discard, conn)
				io.WriteString(conn, greeting(fmt.Sprint("Namespace: ", i%names)))
				for _, room := range []string{"a", "b", "a", "b"} {
					conn.Write(client("1 000 0001", room))
				}
			})
		}
		all.Wait()
		eventually(t, "the end of all", func() bool { return len(st.srv.Sockets()) == 0 })
		close(over)
		watching.Wait()
		eventually(t, "the end of the namespaces", func() bool {
			runtime.GC()
			return len(st.srv.spaces.List()) == 0
		})
		if got := st.srv.Stats(); got.Rooms != 0 || got.Connections != 0 || got.TotalConnections > peers {
			t.Errorf("left: %+v", got)
		}
	})
}
