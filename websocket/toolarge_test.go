package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/brokertest"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// small is a broker that takes small envelopes alone, and fails a test to which others come.
type small struct {
	t testing.TB
	broker.Broker
	broker.History
}

const smallBody = 128 << 10

func newSmall(t testing.TB, network *brokertest.Network) small {
	b := network.Broker()
	return small{t, b, b.(broker.History)}
}

func (s small) MaxBody() int { return smallBody }

func (s small) Publish(ctx context.Context, batch []broker.Envelope) error {
	for _, e := range batch {
		if len(e.Body) > smallBody {
			s.t.Errorf("a body of %d bytes is published", len(e.Body))
		}
	}
	return s.Broker.Publish(ctx, batch)
}

// Nobody gets what the broker does not take, here or elsewhere, in whatever way it is sent.
func TestWhatIsTooLargeForTheBrokerIsAnError(t *testing.T) {
	network := brokertest.NewNetwork()
	opts := Options{Rooms: Rooms{"kept*": {History: History{Messages: 10, Bytes: 1 << 20}}}}
	var peers []*raw
	var sockets []*Socket
	var servers []*Server
	for range 2 {
		opts.Broker = newSmall(t, network)
		opened := make(chan *Socket, 1)
		st := overTCP.serve(t, opts, func(s *Socket) error {
			defer func() { opened <- s }()
			return errors.Join(s.Join("plain"), s.Join("kept"), s.Join("kept too"))
		})
		peers, servers = append(peers, st.raw(t)), append(servers, st.srv)
		sockets = append(sockets, wait(t, opened, "the handler"))
		watch(t, sockets[len(sockets)-1])
		eventually(t, "the limit is known", func() bool { return !st.srv.node.Fits([]*cluster.Parcel{{Text: make([]byte, smallBody)}}) })
	}
	srv, from, text := servers[0], sockets[0], strings.Repeat("x", smallBody)
	prepared, _ := Prepare(text)
	for name, send := range map[string]func() error{
		"Send":                  func() error { return srv.All().Send(text) },
		"Send to a room":        func() error { return srv.To("plain").Send(text) },
		"Volatile":              func() error { return srv.To("plain").Volatile().Send(text) },
		"Send what is prepared": func() error { return srv.All().Send(prepared) },
		"Broadcast":             func() error { return srv.Broadcast(text) },
		"of a socket":           func() error { return from.Broadcast(text, "plain") },
		"Emit":                  func() error { return srv.To("plain").Emit("x", text) },
		"kept":                  func() error { return srv.To("kept").Emit("x", text) },
		"kept, and waited for":  func() error { return srv.To("kept").EmitContext(t.Context(), "x", text) },
		"kept and not":          func() error { return srv.To("kept").To("plain").Emit("x", text) },
		"two that are kept":     func() error { return srv.To("kept").To("kept too").Emit("x", text) },
		"to another node":       func() error { return srv.All().ToID(sockets[1].ID()).Send(text) },
		"with many excepted":    func() error { return srv.To("plain").Except(ids(10_000)...).Send("short") },
	} {
		if err := send(); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v, want ErrTooLarge", name, err)
		}
	}
	if err := srv.All().ToID(from.ID()).Send("to one that is here: " + text); err != nil {
		t.Error(err)
	}
	peers[0].expect(wire.OpText, "to one that is here: "+text)
	for reply := range srv.Cluster().Ask(t.Context(), Room("nobody"), "ready?", text) {
		if !errors.Is(reply.Err, ErrTooLarge) {
			t.Errorf("Ask: %v", reply.Err)
		}
	}
	srv.All().Send("end")
	for _, peer := range peers {
		peer.expect(wire.OpText, "end")
	}
}

func ids(n int) (list []string) {
	for range n {
		list = append(list, (&Socket{id: newID()}).ID())
	}
	return list
}

// Answers of nodes that have much to tell are whole.
func TestLongAnswersOfNodesAreWhole(t *testing.T) {
	const n = 500
	network, room := brokertest.NewNetwork(), strings.Repeat("r", 200)
	opts := Options{Broker: newSmall(t, network), Rooms: Rooms{"*": {Presence: true}}}
	asking := NewServer(opts)
	defer asking.Close()
	opts.Broker = newSmall(t, network)
	opened := make(chan *Socket, 1)
	st := overTCP.serve(t, opts, func(s *Socket) error {
		defer func() { opened <- s }()
		return errors.Join(s.SetUser(s.ID()+strings.Repeat("u", 200), nil), s.Join(room))
	})
	var last *raw
	for range n {
		last = st.raw(t)
		wait(t, opened, "the handler").UseEvents(func(e *Event, next func() error) error { return next() }) // has replies read
	}
	known(t, []*Server{asking, st.srv}, 2)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	list, err := asking.Cluster().Sockets(ctx, Room(room), n+1)
	if len(list) != n || err != nil {
		t.Fatalf("%d sockets are listed, %v", len(list), err)
	}
	users, err := asking.Presence(ctx, room)
	if len(users) != n || err != nil {
		t.Errorf("%d users are listed, %v", len(users), err)
	}
	go func() {
		f, _ := last.next()
		m := NewMessage(Text, f.payload)
		if env, is := m.envelope(); is {
			last.write(client("1 000 0001", fmt.Sprintf(`{"type":"ack","id":%s,"data":[%q]}`, env.ID, strings.Repeat("x", smallBody))))
		}
	}()
	for r := range asking.Cluster().Ask(ctx, ID(list[n-1].ID), "ready?") {
		if r.ID != list[n-1].ID || !errors.Is(r.Err, ErrTooLarge) {
			t.Errorf("a long reply: %s, %v", r.ID, r.Err)
		}
	}
}

func TestAnswersHaveAllThatAreCounted(t *testing.T) {
	const n = 10_000
	var sockets []*Socket
	for range n {
		sockets = append(sockets, &Socket{id: newID()})
	}
	count, users, parts := 0, 0, 0
	answerCount(sockets, func(data []byte) error {
		var part countAnswer
		if err := json.Unmarshal(data, &part); err != nil || len(data) > 2*answerSize {
			t.Errorf("%d bytes, %v", len(data), err)
		}
		count, users, parts = count+part.Sockets, users+len(part.Users), parts+1
		return nil
	})
	if count != n || users != n || parts < 2 {
		t.Errorf("%d sockets of %d users in %d parts", count, users, parts)
	}
}
