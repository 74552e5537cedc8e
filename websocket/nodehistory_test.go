package websocket

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// told is what a client of nextrush.v1 is told.
type told struct {
	Type      string   `json:"type"`
	Room      string   `json:"room"`
	Epoch     string   `json:"epoch"`
	Offset    int64    `json:"offset"`
	Recovered *bool    `json:"recovered"`
	Replayed  bool     `json:"replayed"`
	Data      []string `json:"data"`
}

// next reads the next text of one of the types.
func (c *raw) told(types ...string) (m told) {
	c.t.Helper()
	for {
		f, ok := c.next()
		if !ok {
			c.t.Fatalf("the connection has ended, want one of %v", types)
		}
		m = told{}
		if f.Op == wire.OpText && json.Unmarshal(f.payload, &m) == nil && slices.Contains(types, m.Type) {
			return m
		}
	}
}

// inRooms serves on nodes whose sockets join "room a" in their handlers.
func inRooms(t *testing.T, network *brokertest.Network, n int) (sites []*site) {
	for range n {
		opts := keeping(History{Messages: 1000})
		opts.Broker = network.Broker()
		sites = append(sites, overTCP.serve(t, opts, func(s *Socket) error {
			if s.Protocol() == "" {
				defer s.SendText("in")
			}
			return joiner(s)
		}))
	}
	return sites
}

// joined is a client at each site, in its room.
func joined(t *testing.T, sites []*site) (peers []*raw) {
	t.Helper()
	for _, st := range sites {
		c := st.raw(t, speaking)
		c.told("joined")
		peers = append(peers, c)
	}
	return peers
}

// sequence reads n events and checks that they have the offsets after one.
func (c *raw) sequence(after, n int) (texts []string) {
	c.t.Helper()
	for i := range n {
		m := c.told("event", "synced")
		if m.Type != "event" || m.Offset != int64(after+i+1) {
			c.t.Fatalf("message %d is %+v, want the event with offset %d", i+1, m, after+i+1)
		}
		texts = append(texts, m.Data[0])
	}
	return texts
}

// All clients see one sequence, whoever emits: those that know positions, and others. What
// is lost between the nodes is read.
func TestKeptRoomsHaveOneOrderOnAllNodes(t *testing.T) {
	const each = 200
	for _, loss := range []bool{false, true} {
		t.Run(fmt.Sprint("loss ", loss), func(t *testing.T) {
			network := brokertest.NewNetwork()
			sites := inRooms(t, network, 3)
			var peers, plain []*raw
			for _, st := range sites {
				c, p := st.raw(t, speaking), st.raw(t)
				c.told("joined")
				p.expect(wire.OpText, "in")
				peers, plain = append(peers, c), append(plain, p)
			}
			var all sync.WaitGroup
			for i, st := range sites {
				all.Go(func() {
					rnd := rand.New(rand.NewPCG(uint64(i), 1))
					for j := range each {
						if err := st.srv.To("room a").Emit("chat", fmt.Sprint(i, " ", j)); err != nil {
							t.Error(err)
						}
						if loss && rnd.IntN(20) == 0 {
							network.Lose(1 + rnd.IntN(3))
						}
					}
				})
			}
			all.Wait()
			network.Lose(0)
			sites[0].srv.To("room a").Emit("chat", "end")
			const n = 3*each + 1
			want := peers[0].sequence(0, n)
			for i := range peers {
				if got := want; i > 0 {
					if got = peers[i].sequence(0, n); !slices.Equal(got, want) {
						t.Errorf("the clients of node %d have seen another order", i)
					}
				}
				for j, text := range want {
					if m := plain[i].told("event"); m.Data[0] != text {
						t.Fatalf("event %d of the plain client of node %d is %q, want %q", j+1, i, m.Data[0], text)
					}
				}
			}
		})
	}
}

// A client that was cut off gets what it has missed from another node, which has never
// seen the room.
func TestAnotherNodeReplaysWhatWasMissed(t *testing.T) {
	sites := inRooms(t, brokertest.NewNetwork(), 2)
	c := sites[0].raw(t, speaking)
	at := c.told("joined")
	emit := func(from, n int) {
		for i := range n {
			sites[0].srv.To("room a").Emit("chat", fmt.Sprint(from+i))
		}
	}
	emit(1, 5)
	c.sequence(0, 5)
	c.conn.Close()
	emit(6, 5)
	eventually(t, "they are kept", func() bool {
		p, err := sites[1].srv.Position(t.Context(), "room a")
		return err == nil && p.Offset == 10
	})
	if past, err := sites[1].srv.History(t.Context(), "room a", 3); err != nil || len(past.Events) != 3 || past.Events[0].Offset != 8 {
		t.Errorf("%+v, %v", past, err)
	}
	c = sites[1].raw(t, speaking)
	c.write(client("1 000 0001", fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,5]}}`, at.Epoch)))
	if got := c.sequence(5, 5); !slices.Equal(got, []string{"6", "7", "8", "9", "10"}) {
		t.Errorf("%v", got)
	}
	if m := c.told("synced"); m.Recovered == nil || !*m.Recovered || m.Offset != 10 {
		t.Errorf("%+v", m)
	}
	emit(11, 1)
	c.sequence(10, 1)
}

// The last event before silence is found though nothing tells of its loss.
func TestALostLastEventIsFound(t *testing.T) {
	network := brokertest.NewNetwork()
	sites := inRooms(t, network, 2)
	c := sites[1].raw(t, speaking)
	c.told("joined")
	network.LoseInRooms(1)
	sites[0].srv.To("room a").Emit("chat", "last")
	eventually(t, "it is published", func() bool { return sites[0].srv.node.Counts().Published.Load() > 0 })
	local{sites[1].srv}.Lost(t.Context(), nil)
	if got := c.sequence(0, 1); got[0] != "last" {
		t.Errorf("%v", got)
	}
}

// While the broker is down events wait, and are kept once.
func TestKeptEventsWaitForTheBroker(t *testing.T) {
	network := brokertest.NewNetwork()
	sites := inRooms(t, network, 2)
	peers := joined(t, sites)
	const n = 500
	for i := range n {
		if i == n/4 {
			network.Cut()
		}
		if i == 3*n/4 {
			network.Mend()
		}
		if err := sites[i%2].srv.To("room a").Emit("chat", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	a, b := peers[0].sequence(0, n), peers[1].sequence(0, n)
	if !slices.Equal(a, b) {
		t.Error("the clients have seen two orders")
	}
	slices.Sort(a)
	if len(slices.Compact(a)) != n {
		t.Error("an event was kept twice")
	}
}

// Clients are told if the engine has lost what it kept, once, and go on.
func TestALostHistoryIsTold(t *testing.T) {
	network := brokertest.NewNetwork()
	sites := inRooms(t, network, 2)
	peers := joined(t, sites)
	sites[0].srv.To("room a").Emit("chat", "before")
	for _, c := range peers {
		c.sequence(0, 1)
	}
	network.Restart()
	sites[1].srv.To("room a").Emit("chat", "after")
	for _, c := range peers {
		m := c.told("synced", "event")
		if m.Type != "synced" || *m.Recovered || m.Offset > 1 {
			t.Fatalf("%+v", m)
		}
		if m.Offset == 0 { // else it is among what was lost
			c.sequence(0, 1)
		}
	}
	sites[1].srv.To("room a").Emit("chat", "end")
	for _, c := range peers {
		if got := c.sequence(1, 1); got[0] != "end" {
			t.Errorf("%v", got)
		}
	}
}

// An engine that loses what it has kept is told it by the nodes: clients notice nothing.
func TestNodesRestoreWhatTheEngineHasLost(t *testing.T) {
	network := brokertest.NewNetwork()
	sites := inRooms(t, network, 2)
	peers := joined(t, sites)
	for i := range 5 {
		for j := range 10 {
			sites[j%2].srv.To("room a").Emit("chat", "text")
		}
		if i%2 == 0 {
			for _, c := range peers {
				c.sequence(10*i, 10)
			}
			network.Crash()
		} else {
			network.Crash()
			for _, c := range peers {
				c.sequence(10*i, 10)
			}
		}
	}
	late := sites[0].raw(t, speaking)
	late.told("joined")
	if past, err := sites[1].srv.History(t.Context(), "room a", 100); err != nil || past.Position.Offset != 50 {
		t.Errorf("the history is at %v, %v", past.Position, err)
	}
}

// Who is in several rooms gets an event to all of them once if he knows no positions, and
// with one name for all if he does.
func TestAnEventToKeptAndOtherRoomsOfAllNodes(t *testing.T) {
	network := brokertest.NewNetwork()
	var sites []*site
	for range 2 {
		opts := keeping(History{Messages: 10})
		opts.Broker = network.Broker()
		sites = append(sites, overTCP.serve(t, opts, func(s *Socket) error {
			for _, room := range []string{"room a", "room b", "other"} {
				if err := s.Join(room); err != nil {
					return err
				}
			}
			watch(t, s)
			return s.SendText(`{"type":"in"}`)
		}))
	}
	var speakers, plain []*raw
	for _, st := range sites {
		c, p := st.raw(t, speaking), st.raw(t)
		c.told("in")
		p.told("in")
		speakers, plain = append(speakers, c), append(plain, p)
	}
	sites[0].srv.To("other").To("room b").To("room a").Emit("chat", "once")
	for i := range 2 {
		a, b := speakers[i].told("event"), speakers[i].told("event")
		if rooms := []string{a.Room, b.Room}; !slices.Contains(rooms, "room a") || !slices.Contains(rooms, "room b") {
			t.Errorf("events of %v", rooms)
		}
		plain[i].told("event")
	}
	sites[0].srv.All().Emit("end", "end")
	for i := range 2 {
		for _, c := range []*raw{speakers[i], plain[i]} {
			if m := c.told("event"); m.Data[0] != "end" {
				t.Errorf("a further event: %+v", m)
			}
		}
	}
}

// gated reads its history when it may.
type gated struct {
	broker.Broker
	gate atomic.Pointer[chan struct{}]
}

func (g *gated) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	page, err := g.Broker.(broker.History).Since(ctx, room, after, limit)
	if gate := g.gate.Load(); gate != nil {
		<-*gate
	}
	return page, err
}

// More comes during a read than may be held: it is read, even if nothing follows.
func TestWhatComesDuringALongReadIsNotMissed(t *testing.T) {
	const n = 700
	network := brokertest.NewNetwork()
	reading, opts := &gated{Broker: network.Broker()}, keeping(History{Messages: 1000})
	opts.Broker = reading
	reader := overTCP.serve(t, opts, joiner).raw(t, speaking)
	reader.told("joined")
	writer := inRooms(t, network, 1)[0]
	gate := make(chan struct{})
	reading.gate.Store(&gate)
	network.LoseInRooms(1)
	for i := range n {
		if err := writer.srv.To("room a").Emit("chat", fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is there", func() bool {
		past, _ := writer.srv.History(t.Context(), "room a", 1)
		return past.Position.Offset == n
	})
	reading.gate.Store(nil)
	close(gate)
	reader.sequence(0, n)
}
