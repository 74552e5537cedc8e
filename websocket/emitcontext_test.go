package websocket

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// holding is a broker that stores nothing until it is open.
type holding struct {
	broker.Broker
	broker.History
	open chan struct{}
}

func newHolding(network *brokertest.Network) holding {
	b := network.Broker()
	return holding{b, b.(broker.History), make(chan struct{})}
}

func (g holding) Publish(ctx context.Context, batch []broker.Envelope) error {
	if slices.ContainsFunc(batch, func(e broker.Envelope) bool { return e.Keep != broker.Retention{} }) {
		select {
		case <-g.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return g.Broker.Publish(ctx, batch)
}

// What EmitContext has returned for is there for other nodes, at once. Members of rooms
// without history do not wait for it, nor do other sockets.
func TestEmitContextReturnsWhenTheEventIsStored(t *testing.T) {
	network := brokertest.NewNetwork()
	b, opts := newHolding(network), keeping(History{Messages: 10})
	other := NewServer(Options{Broker: network.Broker(), Rooms: opts.Rooms})
	t.Cleanup(func() { other.Close() })
	opts.Broker = b
	done := make(chan error, 1)
	st := overTCP.serve(t, opts, func(s *Socket) error {
		s.OnMessage(func(Message) { done <- s.To("plain").To("room a").EmitContext(context.Background(), "said", "hi") })
		defer s.SendText("in")
		return s.Join("plain")
	})
	from, to := st.raw(t), st.raw(t)
	from.expect(wire.OpText, "in")
	to.expect(wire.OpText, "in")
	stored := func() int {
		past, err := other.History(t.Context(), "room a", 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(past.Events)
	}
	from.write(client("1 000 0001", "say"))
	if m := to.told("event"); m.Room != "" {
		t.Errorf("the other member got %+v", m)
	}
	select {
	case err := <-done:
		t.Errorf("it returned %v before the event was stored", err)
	default:
	}
	if n := stored(); n != 0 {
		t.Errorf("%d events are stored", n)
	}
	close(b.open)
	if err := wait(t, done, "the return"); err != nil {
		t.Error(err)
	}
	if n := stored(); n != 1 {
		t.Errorf("%d events are stored when it has returned, want 1", n)
	}
}

func TestEmitContextFails(t *testing.T) {
	b, opts := newHolding(brokertest.NewNetwork()), keeping(History{Messages: 10})
	opts.Broker = b
	srv := NewServer(opts)
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := srv.To("room a").EmitContext(over, "said", 1); !errors.Is(err, context.Canceled) || srv.node.Waiting() > 0 {
		t.Errorf("%v with a context that is over, and %d bytes wait", err, srv.node.Waiting())
	}
	soon, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := srv.To("room a").EmitContext(soon, "said", 2); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v when its context ends", err)
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.To("room a").EmitContext(t.Context(), "said", 3) }()
	eventually(t, "an event waits", func() bool { return srv.node.Waiting() > 0 })
	srv.Close()
	if err := wait(t, failed, "the return"); !errors.Is(err, ErrBrokerDown) {
		t.Errorf("%v when the server is closed", err)
	}
	if err := srv.To("room a").EmitContext(t.Context(), "said", 4); !errors.Is(err, ErrBrokerDown) {
		t.Errorf("%v after that", err)
	}
}

func TestEmitContextOfOneNodeWaitsForNobody(t *testing.T) {
	srv := NewServer(keeping(History{Messages: 10}))
	defer srv.Close()
	if err := srv.To("room a").To("plain").EmitContext(t.Context(), "said", 1); err != nil {
		t.Error(err)
	}
	if past, err := srv.History(t.Context(), "room a", 1); err != nil || len(past.Events) != 1 {
		t.Errorf("%v, %v", past, err)
	}
}
