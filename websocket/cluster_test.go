package websocket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// known waits until each server knows of n nodes.
func known(t *testing.T, servers []*Server, n int) {
	t.Helper()
	for _, srv := range servers {
		eventually(t, "they know each other", func() bool { return len(srv.Cluster().Nodes()) == n })
	}
}

func TestTheClusterActsOnTheSocketsOfAllNodes(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 4)
	known(t, servers, 3)
	for i, s := range c.sockets {
		s.Join("room")
		if err := s.SetUser(fmt.Sprint("user ", i%6), nil); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	all := servers[1].Cluster()
	if n, err := all.Count(ctx, "room"); n.Sockets != 12 || n.Users != 6 || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	if n, err := all.Count(ctx, ""); n.Sockets != 12 || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	list, err := all.Sockets(ctx, User("user 3"), 100)
	if len(list) != 2 || err != nil || list[0].User != "user 3" || list[0].Node == list[1].Node || !slices.Equal(list[0].Rooms, []string{"room"}) {
		t.Errorf("%+v, %v", list, err)
	}
	if list, err := all.Sockets(ctx, Everyone, 7); len(list) != 7 || err != nil {
		t.Errorf("%d of 7, %v", len(list), err)
	}
	if n, err := all.Join(ctx, User("user 3"), "vip"); n != 2 || err != nil {
		t.Errorf("%d have joined, %v", n, err)
	}
	if n, _ := servers[2].Cluster().Count(ctx, "vip"); n.Sockets != 2 || n.Users != 1 {
		t.Errorf("%+v are in the room", n)
	}
	if n, err := all.Leave(ctx, ID(c.sockets[3].ID()), "vip"); n != 1 || err != nil {
		t.Errorf("%d have left, %v", n, err)
	}
	if n, err := all.Disconnect(ctx, Room("vip"), 4401, "signed out"); n != 1 || err != nil {
		t.Errorf("%d have been disconnected, %v", n, err)
	}
	c.peers[9].expectClose(4401)
	for _, none := range []Target{{}, User(""), ID(""), ID("no id"), Room("")} {
		if n, err := all.Disconnect(ctx, none, 4401, ""); n != 0 || err != nil {
			t.Errorf("%+v: %d have been disconnected, %v", none, n, err)
		}
	}
	eventually(t, "the other 11 are there", func() bool {
		n, err := all.Count(ctx, "")
		return n.Sockets == 11 && err == nil
	})
	if _, err := all.Disconnect(ctx, Everyone, 1006, ""); err == nil {
		t.Error("a code that must not be sent was taken")
	}
	if _, err := all.Join(ctx, Everyone, ""); !errors.Is(err, ErrRoomName) {
		t.Errorf("a room without a name: %v", err)
	}
}

func TestRequestsAreAnsweredFromAllNodes(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 2)
	known(t, servers, 3)
	for i, peer := range c.peers {
		go func() {
			f, ok := peer.next()
			m := NewMessage(Text, f.payload)
			env, is := m.envelope()
			if !ok || !is {
				t.Errorf("frame is %q", f.payload)
				return
			}
			answer := fmt.Sprintf(`{"type":"ack","id":%s,"data":[%d]}`, env.ID, i)
			if i == 5 {
				answer = fmt.Sprintf(`{"type":"error","id":%s,"message":"no","errors":{"a":1}}`, env.ID)
			}
			peer.write(client("1 000 0001", answer))
		}()
	}
	for _, s := range c.sockets {
		s.UseEvents(func(e *Event, next func() error) error { return next() }) // has replies read
	}
	got := make(map[string]int)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for r := range servers[0].Cluster().Ask(ctx, Everyone, "ready?", 1) {
		var n int
		var failed *EventError
		switch {
		case errors.As(r.Err, &failed) && failed.Message == "no":
			n = 5
		case r.Err != nil || r.Event.Bind(0, &n) != nil:
			t.Errorf("%s: %v", r.ID, r.Err)
		}
		got[r.ID] = n
	}
	for i, s := range c.sockets {
		if n, ok := got[s.ID()]; !ok || n != i {
			t.Errorf("socket %d has answered %d, %v", i, n, ok)
		}
	}
}

// mute is a node that says that it is there, and nothing else.
type mute struct{ broker.Broker }

func (mute) Deliver([]broker.Delivery) {}
func (mute) Lost([]string, error)      {}
func (mute) Invalid(error)             {}
func (mute) Up(bool, error)            {}

func (m mute) announce(id broker.NodeID, seq uint64) {
	p := cluster.Parcel{Kind: cluster.Announce}
	m.Publish(context.Background(), []broker.Envelope{{From: id, Seq: 1<<40 + seq, Control: true, Body: p.Append(nil)}})
}

// What the others have said comes with the name of who has not answered, who is not waited
// for any more when it is gone.
func TestNodesThatDoNotAnswerAreNamed(t *testing.T) {
	network := brokertest.NewNetwork()
	c, servers := newCast(t, network, 1)
	m, id := mute{network.Broker()}, broker.NewNodeID()
	if err := m.Start(context.Background(), id, m); err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background())
	m.announce(id, 1)
	known(t, servers, 4)
	for _, s := range c.sockets {
		s.Join("room")
	}
	n, err := servers[0].Cluster().Count(context.Background(), "room")
	var partial *PartialError
	if !errors.As(err, &partial) || !slices.Equal(partial.Missing, []string{id.String()}) || n.Sockets != 3 || !slices.Equal(n.Missing, partial.Missing) {
		t.Fatalf("%+v, %v", n, err)
	}
	known(t, servers, 3)
	if n, err := servers[0].Cluster().Count(context.Background(), "room"); n.Sockets != 3 || err != nil {
		t.Fatalf("%+v, %v", n, err)
	}
	network.Cut()
	eventually(t, "it is told", func() bool { return errors.Is(servers[0].Cluster().Health(t.Context()), ErrBrokerDown) })
	if n, err := servers[0].Cluster().Count(context.Background(), "room"); n.Sockets != 1 || !errors.Is(err, ErrBrokerDown) {
		t.Errorf("%+v, %v", n, err)
	}
}

func TestAClusterOfOne(t *testing.T) {
	st, peers, sockets := gathered(t, overTCP, Options{}, 3)
	ctx, one := context.Background(), st.srv.Cluster()
	if n, err := one.Count(ctx, "room"); n.Sockets != 3 || n.Users != 3 || err != nil {
		t.Errorf("%+v, %v", n, err)
	}
	if list := one.Nodes(); len(list) != 1 || !list[0].Self || list[0].Sockets != 3 {
		t.Errorf("%+v", list)
	}
	if n, err := one.Disconnect(ctx, ID(sockets[1].ID()), 4000, "bye"); n != 1 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	peers[1].expectClose(4000)
	if n, err := st.srv.Namespace("a").Cluster().Count(ctx, ""); n.Sockets != 0 || err != nil {
		t.Errorf("%+v in another namespace, %v", n, err)
	}
	st.srv.All().Send("end")
	peers[0].expect(wire.OpText, "end")
}

// A context of its own would take more memory than all else of a socket that waits.
func TestASocketOfANodeHasNoContextBeforeItIsAskedFor(t *testing.T) {
	c, servers := newCast(t, brokertest.NewNetwork(), 1)
	known(t, servers, 3)
	for i, s := range c.sockets {
		if err := s.Join(fmt.Sprint("room ", i)); err != nil {
			t.Fatal(err)
		}
		s.mu.Lock()
		_, made := s.ctx.(*life)
		s.mu.Unlock()
		if made {
			t.Error("it has one")
		}
	}
}
