package websocket

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/history"
)

// unreadable is a broker whose history cannot be read some times.
type unreadable struct {
	broker.Broker
	times *atomic.Int64
}

func (b unreadable) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	if b.times.Add(-1) >= 0 {
		return broker.Page{}, errors.New("unreadable")
	}
	return b.Broker.(broker.History).Since(ctx, room, after, limit)
}

// What cannot be read when it is missing is read soon after, whether more is said or not.
func TestWhatCouldNotBeReadIsReadAgain(t *testing.T) {
	for _, more := range []int{0, 5} {
		t.Run(fmt.Sprint(more, " more"), func(t *testing.T) {
			network, times := brokertest.NewNetwork(), new(atomic.Int64)
			opts := keeping(History{Messages: 1000})
			opts.Broker = unreadable{network.Broker(), times}
			st := overTCP.serve(t, opts, joiner)
			c := st.raw(t, speaking)
			c.told("joined")
			emit := func(n int) {
				for range n {
					st.srv.To("room a").Emit("e", "text")
				}
			}
			emit(1)
			c.sequence(0, 1)
			times.Store(3)
			network.LoseInRooms(1)
			emit(2) // one is lost, the other tells of it
			eventually(t, "it could not be read", func() bool { return times.Load() < 3 })
			emit(more)
			c.sequence(1, 2+more)
		})
	}
}

// Who has got from one node what another has not got yet misses nothing there.
func TestWhoIsAheadOfANodeMissesNothing(t *testing.T) {
	network, times := brokertest.NewNetwork(), new(atomic.Int64)
	sites := inRooms(t, network, 1)
	opts := keeping(History{Messages: 1000})
	opts.Broker = unreadable{network.Broker(), times}
	sites = append(sites, overTCP.serve(t, opts, joiner))
	a, b := sites[0].raw(t, speaking), sites[1].raw(t, speaking)
	epoch := a.told("joined").Epoch
	b.told("joined")
	emit := func(n int) {
		for range n {
			sites[0].srv.To("room a").Emit("e", "text")
		}
	}
	emit(5)
	a.sequence(0, 5)
	b.sequence(0, 5)
	times.Store(1 << 40)
	network.LoseInRooms(1)
	emit(3)
	a.sequence(5, 3)
	b.say(fmt.Sprintf(`{"type":"sync","rooms":{"room a":[%q,8]}}`, epoch))
	if m := b.told("synced"); !*m.Recovered || m.Offset != 8 {
		t.Errorf("%+v", m)
	}
	times.Store(0)
	emit(1)
	b.sequence(5, 4)
}

// counting counts how often histories are read.
type counting struct {
	broker.Broker
	reads *atomic.Int64
}

func (b counting) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	b.reads.Add(1)
	return b.Broker.(broker.History).Since(ctx, room, after, limit)
}

// However many come at once, the history of a room is read once.
func TestAHistoryIsReadOnceForAllWhoCome(t *testing.T) {
	const rooms, each = 1000, 20
	var reads atomic.Int64
	opts := keeping(History{Messages: 10})
	opts.Broker = counting{brokertest.NewNetwork().Broker(), &reads}
	srv := NewServer(opts)
	defer srv.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var all sync.WaitGroup
	for i := range rooms {
		key := history.Key{Room: fmt.Sprint("room ", i)}
		srv.node.Enter("", key.Room)
		for range each {
			all.Go(func() {
				if srv.node.Await(ctx, "", key.Room) != nil || srv.told.Ready(ctx, key) != nil {
					t.Error(key.Room, "is not ready")
				}
			})
		}
	}
	all.Wait()
	if n := reads.Load(); n < rooms || n > 2*rooms { // a node that has just got up reads them, too
		t.Errorf("the histories of %d rooms were read %d times", rooms, n)
	}
}

// slow is a broker of which reads of a history wait while gate is locked.
type slow struct {
	broker.Broker
	gate    *sync.RWMutex
	waiting *atomic.Int64
}

func (b slow) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	b.waiting.Add(1)
	b.gate.RLock()
	defer b.gate.RUnlock()
	b.waiting.Add(-1)
	return b.Broker.(broker.History).Since(ctx, room, after, limit)
}

// reading has clients on two nodes, in a room whose history the nodes begin to read when
// the gate is locked.
func reading(t *testing.T, network *brokertest.Network, messages int) (sites []*site, peers []*raw, lock, unlock func()) {
	t.Helper()
	var gate sync.RWMutex
	var waiting atomic.Int64
	for range 2 {
		opts := keeping(History{Messages: messages})
		opts.Broker = slow{network.Broker(), &gate, &waiting}
		sites = append(sites, overTCP.serve(t, opts, joiner))
	}
	lock = func() {
		gate.Lock()
		for _, st := range sites {
			go func() {
				for waiting.Load() < 2 && t.Context().Err() == nil { // again, if a read has just ended
					st.srv.told.Check(t.Context())
				}
			}()
		}
		eventually(t, "both read", func() bool { return waiting.Load() == 2 })
	}
	return sites, joined(t, sites), lock, gate.Unlock
}

// What comes while a history is read, and lacks nothing before it, is not held up by that:
// an engine that then loses it is told it by the nodes.
func TestWhatComesWhileAHistoryIsReadIsTheirs(t *testing.T) {
	network := brokertest.NewNetwork()
	sites, peers, lock, unlock := reading(t, network, 1000)
	lock()
	for range 3 {
		sites[0].srv.To("room a").Emit("e", "text")
	}
	for _, c := range peers {
		c.sequence(0, 3)
	}
	network.Crash()
	unlock()
	for range 2 {
		sites[0].srv.To("room a").Emit("e", "text")
	}
	for _, c := range peers {
		c.sequence(3, 2)
	}
}

// What has come while a history was read is not missing, though it is not kept any more.
func TestWhatComesWhileAHistoryIsReadIsNotMissing(t *testing.T) {
	sites, peers, lock, unlock := reading(t, brokertest.NewNetwork(), 3)
	lock()
	for range 10 {
		sites[0].srv.To("room a").Emit("e", "text")
	}
	for _, c := range peers {
		c.sequence(0, 10)
	}
	unlock()
	eventually(t, "nothing is missing", func() bool {
		for _, st := range sites {
			if !st.srv.told.Live(history.Key{Room: "room a"}) {
				return false
			}
		}
		return true
	})
	for _, st := range sites {
		st.srv.told.Check(t.Context()) // after those under way
	}
	sites[0].srv.To("room a").Emit("e", "text")
	for _, c := range peers {
		c.sequence(10, 1)
	}
}

// Of what has come although something before it has not, an engine that has lost both knows
// at least that it was there: clients are told, and no offset comes twice.
func TestNoOffsetOfWhatHasComeComesTwice(t *testing.T) {
	network := brokertest.NewNetwork()
	sites, peers, lock, unlock := reading(t, network, 1000)
	lock()
	network.LoseInRooms(1)
	for _, text := range []string{"lost", "held"} {
		if err := sites[0].srv.To("room a").EmitContext(t.Context(), "e", text); err != nil {
			t.Fatal(err)
		}
	}
	network.Crash()
	for _, text := range []string{"new", "last"} {
		sites[0].srv.To("room a").Emit("e", text)
	}
	unlock()
	for _, c := range peers {
		if m := c.told("synced", "event"); m.Type != "synced" || *m.Recovered {
			t.Fatalf("%+v", m)
		}
		if got := c.sequence(2, 2); got[0] != "new" || got[1] != "last" {
			t.Errorf("%q", got)
		}
	}
}

// deaf is a broker whose first answer is lost when the engine has forgotten what it has got.
type deaf struct {
	broker.Broker
	forget func()
	once   *atomic.Bool
}

func (b deaf) Publish(ctx context.Context, batch []broker.Envelope) error {
	err := b.Broker.Publish(ctx, batch)
	if err == nil && batch[0].Keep != (broker.Retention{}) && !b.once.Swap(true) {
		b.forget()
		return errors.New("no answer")
	}
	return err
}

func (b deaf) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	return b.Broker.(broker.History).Since(ctx, room, after, limit)
}

// What is sent again to an engine that begins anew does not come twice.
func TestWhatIsSentAgainInANewEpochComesOnce(t *testing.T) {
	network := brokertest.NewNetwork()
	var sites []*site
	var arrived sync.WaitGroup
	arrived.Add(2)
	opts := keeping(History{Messages: 1000})
	opts.Broker = deaf{network.Broker(), func() { arrived.Wait(); network.Restart() }, new(atomic.Bool)}
	sites = append(sites, overTCP.serve(t, opts, joiner))
	sites = append(sites, inRooms(t, network, 1)...)
	peers := joined(t, sites)
	sites[0].srv.To("room a").Emit("e", "once")
	for _, c := range peers {
		if got := c.sequence(0, 1); got[0] != "once" {
			t.Fatalf("%q", got)
		}
		arrived.Done()
	}
	sites[0].srv.To("room a").Emit("e", "then")
	for _, c := range peers {
		if m := c.told("synced", "event"); m.Type != "synced" || *m.Recovered {
			t.Fatalf("%+v", m)
		}
		if m := c.told("synced", "event"); m.Type != "event" || m.Data[0] != "then" || m.Offset != 2 {
			t.Errorf("%+v", m)
		}
	}
}

// Who comes to a room in its new epoch gets what is sent again, which others have got.
func TestWhatIsSentAgainComesToThoseWhoAreNew(t *testing.T) {
	network := brokertest.NewNetwork()
	forgotten, goOn := make(chan bool), make(chan bool)
	opts := keeping(History{Messages: 1000})
	opts.Broker = deaf{network.Broker(), func() { close(forgotten); <-goOn }, new(atomic.Bool)}
	sites := append(inRooms(t, network, 1), overTCP.serve(t, opts, joiner))
	peers := joined(t, sites)
	sites[1].srv.To("room a").Emit("e", "once")
	for _, c := range peers {
		c.sequence(0, 1)
	}
	wait(t, forgotten, "the engine")
	network.Restart()
	for i, st := range sites {
		st.srv.told.Check(t.Context())
		if m := peers[i].told("synced", "event"); m.Type != "synced" {
			t.Fatalf("%+v", m)
		}
	}
	late := sites[0].raw(t, speaking)
	late.told("joined")
	close(goOn)
	if got := late.sequence(0, 1); got[0] != "once" {
		t.Errorf("%q", got)
	}
}
