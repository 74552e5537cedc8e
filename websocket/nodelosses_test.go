package websocket

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// What is said in a room while nobody of a node is in it is not lost for that node.
func TestWhatIsSaidWhileNobodyIsInARoomIsNoLoss(t *testing.T) {
	network := brokertest.NewNetwork()
	sites, opened := nodes(t, network, Options{}, 2)
	peer := sites[1].raw(t)
	s, srv := wait(t, opened[1], "the handler"), sites[0].srv
	for i, text := range []string{"first", "again"} {
		s.Join("room")
		watch(t, s)
		srv.To("room").Send(text)
		peer.expect(wire.OpText, text)
		s.Leave("room")
		eventually(t, "the room is not watched", func() bool { return sites[1].srv.node.Watched() == 0 })
		before := srv.node.Counts().Published.Load()
		for range 5 {
			srv.To("room").Send("to nobody")
		}
		eventually(t, "it is published", func() bool { return srv.node.Counts().Published.Load() >= before+5 })
		if n := sites[1].srv.Stats().Cluster.Lost; n != 0 {
			t.Fatalf("in round %d %d are counted as lost", i, n)
		}
	}
}

// lossy is a broker that loses what says so.
type lossy struct{ broker.Broker }

func (l lossy) Publish(ctx context.Context, batch []broker.Envelope) error {
	return l.Broker.Publish(ctx, slices.DeleteFunc(slices.Clone(batch), func(e broker.Envelope) bool {
		return bytes.Contains(e.Body, []byte("lost"))
	}))
}

// In each room the first that another node says is lost, and in half of them it is all.
func TestTheFirstThatIsLostIsCounted(t *testing.T) {
	const rooms = 1000
	network := brokertest.NewNetwork()
	var told atomic.Int64
	srv := NewServer(Options{Broker: lossy{network.Broker()}})
	defer srv.Close()
	sites, opened := nodes(t, network, Options{MaxRoomsPerSocket: rooms, OnGap: func(g NodeGap) { told.Add(g.Lost) }}, 1)
	peer := sites[0].raw(t)
	s, received := wait(t, opened[0], "the handler"), &sites[0].srv.node.Counts().Received
	for i := range rooms {
		s.Join(fmt.Sprint("room ", i))
	}
	watch(t, s)
	before := received.Load()
	eventually(t, "the other node has announced itself for some seconds", func() bool { return received.Load() >= before+4 })
	for i := range rooms {
		srv.To(fmt.Sprint("room ", i)).Send("lost")
		if i%2 == 0 {
			srv.To(fmt.Sprint("room ", i)).Send(fmt.Sprint(i))
			peer.expect(wire.OpText, fmt.Sprint(i))
		}
	}
	eventually(t, "all losses are counted", func() bool { return sites[0].srv.Stats().Cluster.Lost == rooms && told.Load() == rooms })
}

// While rooms come and go at a node to which another one says much, nothing is lost.
func TestRoomsThatComeAndGoLoseNothing(t *testing.T) {
	const rooms = 300
	sites, opened := nodes(t, brokertest.NewNetwork(), Options{}, 2)
	peer := sites[1].raw(t)
	s, srv := wait(t, opened[1], "the handler"), sites[0].srv
	known(t, []*Server{srv, sites[1].srv}, 2)
	go func() {
		for ok := true; ok; {
			_, ok = peer.next()
		}
	}()
	for i, over := 0, time.Now().Add(3*time.Second); time.Now().Before(over); i++ {
		for j := range 3 {
			srv.To(fmt.Sprint("room ", (i+j)%rooms)).Send("hello")
		}
		s.Join(fmt.Sprint("room ", i%rooms))
		s.Leave(fmt.Sprint("room ", (i+rooms/2)%rooms))
	}
	if n := sites[1].srv.Stats().Cluster; n.Lost != 0 || n.Received == 0 {
		t.Errorf("%d of %d are counted as lost", n.Lost, n.Received)
	}
}
