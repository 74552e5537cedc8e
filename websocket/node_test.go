package websocket

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// nodes serves on as many nodes of one network.
func nodes(t testing.TB, network *brokertest.Network, opts Options, n int) (sites []*site, opened []chan *Socket) {
	t.Helper()
	for range n {
		entered := make(chan *Socket, 1)
		opts.Broker = network.Broker()
		sites = append(sites, overTCP.serve(t, opts, func(s *Socket) error {
			entered <- s
			return nil
		}))
		opened = append(opened, entered)
	}
	return sites, opened
}

// watch waits until what others send to the socket's rooms arrives.
func watch(t testing.TB, s *Socket) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, room := range s.Rooms() {
		if err := s.ns.srv.node.Await(ctx, s.ns.name, room); err != nil {
			t.Fatal(err)
		}
	}
}

// texts reads n texts, which may come in any order.
func (c *raw) texts(n int) (list []string) {
	c.t.Helper()
	for range n {
		f, ok := c.next()
		if !ok {
			c.t.Fatalf("the connection has ended after %d texts, want %d", len(list), n)
		}
		list = append(list, string(f.payload))
	}
	slices.Sort(list)
	return list
}

// cast is sockets of several nodes in rooms.
type cast struct {
	peers   []*raw
	sockets []*Socket
	want    [][]string // texts that each is to get
}

func newCast(t *testing.T, network *brokertest.Network, each int) (c *cast, servers []*Server) {
	sites, opened := nodes(t, network, Options{}, 3)
	c = &cast{}
	for i, st := range sites {
		servers = append(servers, st.srv)
		for range each {
			c.peers = append(c.peers, st.raw(t))
			c.sockets = append(c.sockets, wait(t, opened[i], "the handler"))
		}
	}
	c.want = make([][]string, len(c.peers))
	return c, servers
}

// Whatever an Emitter names, the same sockets get it as if all were on one node, once.
func TestEmittersReachTheSameSocketsOnAllNodes(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 4)
	rnd := rand.New(rand.NewPCG(1, 2))
	names := []string{"a", "b", "c", "d"}
	for _, s := range c.sockets {
		for _, name := range names {
			if rnd.IntN(2) == 0 {
				s.Join(name)
			}
		}
		watch(t, s)
	}
	for i := range 300 {
		text := fmt.Sprint("text ", i)
		from := c.sockets[rnd.IntN(len(c.sockets))]
		e, sender := servers[rnd.IntN(3)].All(), (*Socket)(nil)
		if rnd.IntN(2) == 0 {
			e, sender = from.Others(), from
		}
		e, in := draw(rnd, e, names, c.sockets)
		if err := e.Send(text); err != nil {
			t.Fatal(err)
		}
		for j, s := range c.sockets {
			if s != sender && in(s) {
				c.want[j] = append(c.want[j], text)
			}
		}
	}
	c.check(t, servers[0])
}

// draw adds to an Emitter by chance, and tells whom it means.
func draw(rnd *rand.Rand, e Emitter, names []string, sockets []*Socket) (Emitter, func(*Socket) bool) {
	var rooms, outRooms []string
	var ids, out []*Socket
	for range rnd.IntN(3) {
		rooms = append(rooms, names[rnd.IntN(len(names))])
		e = e.To(rooms[len(rooms)-1])
	}
	if rnd.IntN(4) == 0 {
		ids = append(ids, sockets[rnd.IntN(len(sockets))])
		e = e.ToID(ids[0].ID())
	}
	if rnd.IntN(3) == 0 {
		out = append(out, sockets[rnd.IntN(len(sockets))])
		e = e.Except(out[0].ID())
	}
	if rnd.IntN(3) == 0 {
		outRooms = append(outRooms, names[rnd.IntN(len(names))])
		e = e.ExceptRooms(outRooms[0])
	}
	within := func(s *Socket, rooms []string) bool {
		return slices.ContainsFunc(rooms, func(room string) bool { return slices.Contains(s.Rooms(), room) })
	}
	return e, func(s *Socket) bool {
		meant := len(rooms)+len(ids) == 0 || within(s, rooms) || slices.Contains(ids, s)
		return meant && !slices.Contains(out, s) && !within(s, outRooms)
	}
}

func (c *cast) check(t *testing.T, srv *Server) {
	t.Helper()
	for i, peer := range c.peers {
		slices.Sort(c.want[i])
		if got := peer.texts(len(c.want[i])); !slices.Equal(got, c.want[i]) {
			t.Errorf("socket %d has got %d texts, want %d:\n%s\n%s", i, len(got), len(c.want[i]), strings.Join(got, ","), strings.Join(c.want[i], ","))
		}
	}
	srv.All().Send("end")
	for _, peer := range c.peers {
		peer.expect(wire.OpText, "end")
	}
}

func TestEmittersMoveAndCloseSocketsOnAllNodes(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 2)
	for _, s := range c.sockets {
		s.Join("room")
		watch(t, s)
	}
	first, last := c.sockets[0], c.sockets[5]
	if err := servers[1].To("room").Except(last.ID()).Join("vip", "more"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "five have joined", func() bool {
		return howMany(c.sockets, func(s *Socket) bool { return slices.Contains(s.Rooms(), "vip") }) == 5
	})
	for _, s := range c.sockets {
		watch(t, s)
	}
	servers[2].All().ToID(first.ID()).Leave("vip")
	eventually(t, "one has left", func() bool { return !slices.Contains(first.Rooms(), "vip") })
	if err := servers[0].To("vip").Close(4000, "bye"); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 5; i++ {
		if reason := c.peers[i].expectClose(4000); reason != "bye" {
			t.Errorf("closed with %q", reason)
		}
	}
	eventually(t, "two are left", func() bool { return first.State() == StateOpen && last.State() == StateOpen && open(servers) == 2 })
}

func open(servers []*Server) (n int) {
	for _, srv := range servers {
		n += len(srv.Sockets())
	}
	return n
}

func howMany(sockets []*Socket, is func(*Socket) bool) (n int) {
	for _, s := range sockets {
		if is(s) {
			n++
		}
	}
	return n
}

// A room that is joined before the 101 misses nothing that is sent after it.
func TestJoinsBeforeTheOpeningMissNothingOfOtherNodes(t *testing.T) {
	network := brokertest.NewNetwork()
	sender := NewServer(Options{Broker: network.Broker()})
	defer sender.Close()
	srv := NewServer(Options{Broker: network.Broker()})
	var rooms atomic.Int64
	st := overTCP.accepting(t, srv, func(h *Handshake, _ http.ResponseWriter, _ *http.Request) {
		h.Socket().Join(fmt.Sprint("room ", rooms.Add(1)))
		if err := h.Open(nil); err != nil {
			t.Error(err)
		}
	})
	for i := range 200 {
		peer := st.raw(t)
		sender.To(fmt.Sprint("room ", i+1)).Send("hello")
		peer.expect(wire.OpText, "hello")
		peer.conn.Close()
	}
	eventually(t, "no room is watched that nobody is in", func() bool { return st.srv.node.Watched() == 0 })
}

// What is lost between nodes is counted where it is missed, also if nothing comes after it.
func TestLossesBetweenNodesAreCounted(t *testing.T) {
	network := brokertest.NewNetwork()
	gaps := make(chan NodeGap, 100)
	sites, opened := nodes(t, network, Options{OnGap: func(g NodeGap) { gaps <- g }}, 2)
	peer := sites[1].raw(t)
	s := wait(t, opened[1], "the handler")
	s.Join("room")
	watch(t, s)
	say := func(text string) { sites[0].srv.To("room").Send(text) }
	say("1")
	peer.expect(wire.OpText, "1")
	network.LoseInRooms(3)
	for i := range 3 {
		say(fmt.Sprint("lost ", i))
	}
	eventually(t, "they are published", func() bool { return sites[0].srv.node.Counts().Published.Load() >= 4 })
	say("2")
	peer.expect(wire.OpText, "2")
	if g := wait(t, gaps, "OnGap"); g.Room != "room" || g.Lost < 1 || g.Lost > 3 { // announcements may have been lost as well
		t.Errorf("%+v", g)
	}
	lost := sites[1].srv.node.Counts().Lost.Load()
	network.LoseInRooms(1)
	say("the last one")
	eventually(t, "the last one is missed", func() bool { return sites[1].srv.node.Counts().Lost.Load() > lost })
}

func TestSendsWhileTheBrokerIsDown(t *testing.T) {
	network := brokertest.NewNetwork()
	sites, opened := nodes(t, network, Options{}, 2)
	var peers []*raw
	for i, st := range sites {
		peers = append(peers, st.raw(t))
		s := wait(t, opened[i], "the handler")
		s.Join("room")
		watch(t, s)
	}
	network.Cut()
	srv := sites[0].srv
	eventually(t, "it is told", func() bool { return !srv.node.IsUp() })
	if err := srv.To("room").Send("kept for later"); err != nil {
		t.Errorf("there is room in the queue: %v", err)
	}
	if err := srv.To("room").Volatile().Send("too late then"); !errors.Is(err, ErrBrokerDown) {
		t.Errorf("volatile: %v", err)
	}
	large := strings.Repeat("x", 1<<20)
	if err := srv.To("room").Send(large); !errors.Is(err, ErrBrokerDown) {
		t.Errorf("there is no room: %v", err)
	}
	for _, want := range []string{"kept for later", "too late then", large} {
		peers[0].expect(wire.OpText, want)
	}
	network.Mend()
	peers[1].expect(wire.OpText, "kept for later")
	srv.To("room").Send("end")
	for _, peer := range peers {
		peer.expect(wire.OpText, "end")
	}
	if n := srv.node.Counts().Dropped.Load(); n < 2 {
		t.Errorf("%d are counted as dropped", n)
	}
}

// unable is a broker whose server keeps no rooms.
type unable struct {
	broker.Broker
	broker.History
}

func (unable) CanKeep(context.Context) error { return errors.New("it has no disk") }

func TestMistakesWithBrokersNameTheFix(t *testing.T) {
	network := brokertest.NewNetwork()
	b := network.Broker()
	srv := NewServer(Options{Broker: b})
	defer srv.Close()
	for _, x := range []struct {
		opts Options
		want string
	}{
		{Options{Broker: b}, "Network.Broker for each"},
		{Options{Broker: unable{Broker: network.Broker()}, Rooms: Rooms{"a*": {History: History{Messages: 1}}}}, "it has no disk"},
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, x.want) {
					t.Errorf("it panics with %q", text)
				}
			}()
			NewServer(x.opts)
		}()
	}
}

// A server that is shut down publishes what its sockets say at their end.
func TestWhatIsSaidAtTheEndIsPublished(t *testing.T) {
	network := brokertest.NewNetwork()
	sites, opened := nodes(t, network, Options{}, 2)
	leaving := sites[0].raw(t)
	leaver := wait(t, opened[0], "the handler")
	leaver.OnClose(func(StatusCode, string) { leaver.ns.srv.To("room").Send("bye") })
	peer := sites[1].raw(t)
	s := wait(t, opened[1], "the handler")
	s.Join("room")
	watch(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	go sites[0].srv.Shutdown(ctx)
	if reason := leaving.expectClose(StatusGoingAway); reason == "" {
		t.Error("it was closed without a reason")
	}
	peer.expect(wire.OpText, "bye")
}

// What names nobody reaches nobody: on other nodes, too.
func TestAnEmitterToNobodyReachesNobodyOnOtherNodes(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 1)
	for _, s := range c.sockets {
		s.Join("room")
		watch(t, s)
	}
	srv := servers[0]
	known(t, servers, len(servers))
	for _, nobody := range []Emitter{srv.To(""), srv.All().To(""), srv.All().ToID("no id"), srv.All().ToID("")} {
		nobody.Send("no")
		nobody.Emit("no")
		nobody.Join("vip")
		nobody.Leave("room")
		nobody.Close(4000, "no")
		for r := range nobody.Request(t.Context(), "no") {
			t.Errorf("%+v has answered", r)
		}
	}
	srv.Broadcast("no", "")
	srv.To("room").Send("yes")
	for _, peer := range c.peers {
		peer.expect(wire.OpText, "yes")
	}
}

// What a process without sockets has sent before it ends arrives, though its broker was
// not connected yet when it began.
func TestAnEmitterWithoutSocketsReachesThoseOfNodes(t *testing.T) {
	network := brokertest.NewNetwork()
	c, _ := newCast(t, network, 1)
	for _, s := range c.sockets {
		s.Join("news")
	}
	e := NewEmitter(network.Broker())
	e.To("news").Send("hello")
	e.Close()
	for _, peer := range c.peers {
		peer.expect(wire.OpText, "hello")
	}
}

// Who comes back to another node begins a new session, and its rooms go on.
func TestASessionDoesNotMoveToAnotherNode(t *testing.T) {
	network := brokertest.NewNetwork()
	opts := keeping(History{Messages: 100})
	opts.Resume = Resume{For: time.Minute}
	var sites []*site
	for range 2 {
		opts.Broker = network.Broker()
		sites = append(sites, overTCP.serve(t, opts, joiner))
	}
	v := sites[0].visitor(t)
	at := v.told("joined")
	v.conn.Close()
	sites[0].until(t, "it waits", func(s Stats) bool { return s.Parked == 1 })
	sites[1].srv.To("room a").Emit("chat", "missed")
	v.st = sites[1]
	v.come(t, fmt.Sprintf(", resume.%s.%d", v.hi.Session, v.got))
	if v.hi.Resumed == nil || *v.hi.Resumed {
		t.Errorf("resumed: %v", v.hi.Resumed)
	}
	v.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,%d]}}`, at.Epoch, at.Offset))
	if m := v.told("event"); m.Data[0] != "missed" {
		t.Errorf("got %+v", m)
	}
}
