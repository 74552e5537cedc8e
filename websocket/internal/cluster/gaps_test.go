package cluster_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
)

// nobody is the sockets of a node that has none.
type nobody struct{}

func (nobody) Take([]cluster.Parcel)                                                  {}
func (nobody) Answer(context.Context, *cluster.Parcel, func(data []byte) error)       {}
func (nobody) Sockets() int64                                                         { return 0 }
func (nobody) Lost(context.Context, []cluster.RoomName)                               {}
func (nobody) Missed([]cluster.RoomName)                                              {}
func (nobody) Gone(broker.NodeID, bool)                                               {}
func (nobody) Tails(func(cluster.RoomName, broker.Position, []*broker.Envelope) bool) {}
func (nobody) Watched(context.Context, []cluster.RoomName)                            {}

// ear is a broker whose node receives nothing while it is deaf, and sends nothing while it
// is mute.
type ear struct {
	broker.Broker
	broker.Inbound
	deaf, mute atomic.Bool
}

func (e *ear) Start(ctx context.Context, self broker.NodeID, in broker.Inbound) error {
	e.Inbound = in
	return e.Broker.Start(ctx, self, e)
}

func (e *ear) Deliver(batch []broker.Delivery) {
	if !e.deaf.Load() {
		e.Inbound.Deliver(batch)
	}
}

func (e *ear) Publish(ctx context.Context, batch []broker.Envelope) error {
	if e.mute.Load() {
		return errBroken
	}
	return e.Broker.Publish(ctx, batch)
}

var errBroken = errors.New("broken")

func begin(t *testing.T, b broker.Broker) *cluster.Node {
	n, err := cluster.Start(cluster.Config{Broker: b, Local: nobody{}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pair is two nodes, of which one receives what the other says in a room.
type pair struct {
	there, here *ear
	from, to    *cluster.Node
}

func newPair(t *testing.T, rooms ...string) *pair {
	network := brokertest.NewNetwork()
	p := &pair{there: &ear{Broker: network.Broker()}, here: &ear{Broker: network.Broker()}}
	p.from, p.to = begin(t, p.there), begin(t, p.here)
	for _, room := range rooms {
		p.to.Enter("", room)
	}
	time.Sleep(5 * time.Second)
	return p
}

func (p *pair) close() {
	p.from.Close(context.Background())
	p.to.Close(context.Background())
}

func (p *pair) say(room string, n int) {
	for range n {
		p.from.Publish(&cluster.Parcel{Kind: cluster.Message, Room: room, Text: []byte("hi")}, nil)
	}
}

// What comes last before a room is quiet is missed by a node, and so are the beats that tell
// of it.
func TestALossBeforeARoomIsQuietIsCounted(t *testing.T) {
	for name, fault := range map[string]struct{ begins, ends func(*pair) }{
		"the connection is known to be broken": {
			func(p *pair) { p.here.deaf.Store(true); p.here.Lost(nil, errBroken); p.here.Up(false, errBroken) },
			func(p *pair) { p.here.deaf.Store(false); p.here.Up(true, nil) },
		},
		"nor can it ask": { // which is nobody's message
			func(p *pair) { p.here.deaf.Store(true) },
			func(p *pair) {
				p.here.deaf.Store(false)
				p.there.deaf.Store(true)
				time.Sleep(1500 * time.Millisecond)
				p.there.deaf.Store(false)
			},
		},
		"nobody is told": {
			func(p *pair) { p.here.deaf.Store(true) },
			func(p *pair) { p.here.deaf.Store(false) },
		},
		"for so long that the node counts as gone": {
			func(p *pair) { p.here.deaf.Store(true) },
			func(p *pair) { time.Sleep(8 * time.Second); p.here.deaf.Store(false) },
		},
		"the other node cannot send beats": {
			func(p *pair) {
				p.here.deaf.Store(true)
				time.AfterFunc(10*time.Millisecond, func() { p.there.mute.Store(true) })
			},
			func(p *pair) { p.here.deaf.Store(false); p.there.mute.Store(false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(t, "room")
				defer p.close()
				p.say("room", 1)
				time.Sleep(5 * time.Second)
				fault.begins(p)
				p.say("room", 2)
				time.Sleep(4 * time.Second)
				fault.ends(p)
				time.Sleep(10 * time.Second)
				if lost, other := p.to.Counts().Lost.Load(), p.from.Counts().Lost.Load(); lost != 2 || other != 0 {
					t.Errorf("%d are counted, want 2, and %d there, want 0", lost, other)
				}
			})
		})
	}
}

// A node that was away for so long that it counts as gone has begun to speak in a room.
func TestALossWhileANodeWasGoneIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, "old", "new")
		defer p.close()
		p.say("old", 1)
		time.Sleep(5 * time.Second)
		p.here.deaf.Store(true)
		p.say("new", 2)
		time.Sleep(10 * time.Second)
		p.here.deaf.Store(false)
		time.Sleep(100 * time.Millisecond)
		p.say("new", 1)
		time.Sleep(10 * time.Second)
		if lost := p.to.Counts().Lost.Load(); lost != 2 {
			t.Errorf("%d are counted, want 2", lost)
		}
	})
}

// A node that leaves goes on speaking for a while, without beats.
func TestALossOfWhatANodeSaysLastIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, "room")
		defer p.close()
		p.say("room", 1)
		p.from.Leave()
		time.Sleep(3 * time.Second)
		p.here.deaf.Store(true)
		p.say("room", 2)
		time.Sleep(100 * time.Millisecond)
		p.here.deaf.Store(false)
		p.from.Close(context.Background())
		time.Sleep(10 * time.Second)
		if lost := p.to.Counts().Lost.Load(); lost != 2 {
			t.Errorf("%d are counted, want 2", lost)
		}
	})
}

// Nobody has lost anything, however often it is announced.
func TestWhatIsAnnouncedAgainIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(t, "room", "other")
		defer p.close()
		for i := range 50 {
			p.say("room", i%3)
			p.say("other", i%2)
			time.Sleep(time.Duration(i*100) * time.Millisecond)
			p.there.mute.Store(true)
			time.Sleep(1500 * time.Millisecond)
			p.there.mute.Store(false)
			switch i % 10 {
			case 3:
				p.to.Exit("", "other")
			case 6:
				p.to.Enter("", "other")
			}
		}
		time.Sleep(10 * time.Second)
		if lost := p.to.Counts().Lost.Load(); lost != 0 {
			t.Errorf("%d are counted, want none", lost)
		}
	})
}
