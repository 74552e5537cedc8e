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

// What comes last before a room is quiet is missed by a node, and so is the beat that tells
// of it.
func TestALossBeforeARoomIsQuietIsCounted(t *testing.T) {
	for name, fault := range map[string]struct{ begins, ends func(from, to *ear) }{
		"the connection is known to be broken": {
			func(_, to *ear) { to.Lost(nil, errBroken); to.Up(false, errBroken) },
			func(_, to *ear) { to.Up(true, nil) },
		},
		"another connection takes its place at once": {
			func(_, to *ear) {},
			func(_, to *ear) { to.Lost(nil, errBroken) },
		},
		"the other node cannot send the beat": {
			func(from, _ *ear) { time.AfterFunc(10*time.Millisecond, func() { from.mute.Store(true) }) },
			func(from, _ *ear) { from.mute.Store(false) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				network := brokertest.NewNetwork()
				there, here := &ear{Broker: network.Broker()}, &ear{Broker: network.Broker()}
				from, to := begin(t, there), begin(t, here)
				defer from.Close(context.Background())
				defer to.Close(context.Background())
				to.Enter("", "room")
				say := func() { from.Publish(&cluster.Parcel{Kind: cluster.Message, Room: "room", Text: []byte("hi")}) }
				time.Sleep(5 * time.Second)
				say()
				time.Sleep(5 * time.Second)
				here.deaf.Store(true)
				fault.begins(there, here)
				say()
				say()
				time.Sleep(4 * time.Second)
				here.deaf.Store(false)
				fault.ends(there, here)
				time.Sleep(10 * time.Second)
				if lost := to.Counts().Lost.Load(); lost != 2 {
					t.Errorf("%d are counted, want 2", lost)
				}
			})
		})
	}
}
