package nats_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/plugins/cluster/nats/internal/natstest"
	"github.com/nextrush/nextrush/websocket/broker"
)

// limit is how long something may take that is to happen.
const limit = 30 * time.Second

// node is a broker that is started, and what it has told.
type node struct {
	*nats.Broker
	*natstest.Node
	t *testing.T
}

func begin(t *testing.T, o nats.Options, slow chan struct{}) *node {
	t.Helper()
	b := open(t, o)
	return &node{b, natstest.Begin(t, b, slow), t}
}

var hundred = broker.Retention{Messages: 100, Bytes: 1 << 20, Age: time.Hour}

// try publishes once.
func (n *node) try(room string, keep broker.Retention, from, to int) error {
	var batch []broker.Envelope
	for i := from; i <= to; i++ {
		batch = append(batch, broker.Envelope{From: n.ID, Seq: uint64(i), Room: room, Keep: keep, Body: fmt.Append(nil, i)})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	return n.Publish(ctx, batch)
}

// say publishes again and again until it is sent.
func (n *node) say(room string, keep broker.Retention, from, to int) {
	n.t.Helper()
	for over := time.Now().Add(limit); ; {
		err := n.try(room, keep, from, to)
		if err == nil {
			return
		}
		if time.Now().After(over) {
			n.t.Fatal(err)
		}
	}
}

func (n *node) kept(room string) broker.Page {
	n.t.Helper()
	page, err := n.Since(context.Background(), room, broker.Position{}, 10_000)
	if err != nil {
		n.t.Fatal(err)
	}
	for i, d := range page.Deliveries[:max(len(page.Deliveries)-1, 0)] {
		if next := page.Deliveries[i+1]; next.Position.Offset != d.Position.Offset+1 || next.Position.Epoch != d.Position.Epoch {
			n.t.Errorf("after %v comes %v", d.Position, next.Position)
		}
	}
	return page
}

func TestAConnectionThatIsHeldIsTold(t *testing.T) {
	s := newServer(t, server.Options{})
	p := natstest.NewProxy(t, s.Addr().String())
	n := begin(t, nats.Options{URL: "nats://" + p.Addr().String(), Connect: ownServer}, nil)
	p.Hold(true)
	began := time.Now()
	n.Await("Lost and not Up", func(told natstest.Told) bool { return told.Lost > 0 && !told.Up })
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it has taken %v", took)
	}
	p.Cut()
	p.Hold(false)
	n.Await("Up again", func(told natstest.Told) bool { return told.Up })
	other := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	if err := n.Watch(t.Context(), []string{"room"}, nil); err != nil {
		t.Fatal(err)
	}
	other.say("room", broker.Retention{}, 1, 1)
	n.Await("a delivery", func(told natstest.Told) bool { return len(told.Got) == 1 })
}

// The replies of the server do not come; what it was sent is there.
func TestWhatIsSentAgainAfterALostReplyIsKeptOnce(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	p := natstest.NewProxy(t, s.Addr().String())
	n := begin(t, nats.Options{URL: "nats://" + p.Addr().String(), Connect: ownServer}, nil)
	other := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	n.say("room", hundred, 1, 3)
	for i := 4; i <= 12; i += 3 {
		p.HoldReplies(true)
		if err := n.try("room", hundred, i, i+2); err == nil {
			t.Error("a reply has come")
		}
		p.Cut()
		p.HoldReplies(false)
		n.Await("Up again", func(told natstest.Told) bool { return told.Up })
		other.say("room", hundred, i, i)
		n.say("room", hundred, i, i+2)
	}
	page := other.kept("room")
	seen := make(map[string]bool)
	for _, d := range page.Deliveries {
		key := fmt.Sprint(d.From, d.Seq)
		if seen[key] {
			t.Errorf("%s is there twice", d.Body)
		}
		seen[key] = true
	}
	if len(seen) != 12+3 {
		t.Errorf("%d are kept, want 15", len(seen))
	}
}

func TestARestartWithItsFilesGoesOnAndWithoutBeginsAnEpoch(t *testing.T) {
	for _, memory := range []bool{false, true} {
		t.Run(fmt.Sprintf("memory %v", memory), func(t *testing.T) {
			s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
			n := begin(t, nats.Options{URL: s.ClientURL(), Streams: nats.Streams{Memory: memory}}, nil)
			n.say("room", hundred, 1, 5)
			before := n.kept("room").Top
			s.stop()
			s.start()
			n.Await("Lost", func(told natstest.Told) bool { return told.Lost > 0 })
			n.say("room", hundred, 6, 7)
			switch page := n.kept("room"); {
			case !memory && (page.Top != broker.Position{Epoch: before.Epoch, Offset: 7} || len(page.Deliveries) != 7):
				t.Errorf("%d are kept up to %v", len(page.Deliveries), page.Top)
			case memory && (page.Top.Epoch == before.Epoch || page.Top.Offset != 2):
				t.Errorf("the top was %v and is %v", before, page.Top)
			}
			if _, err := n.Since(t.Context(), "room", before, 10); memory != errors.Is(err, broker.ErrGone) {
				t.Errorf("since the position from before: %v", err)
			}
		})
	}
}

func TestRetentionBoundsWhatIsKept(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	n := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	bytes := broker.Retention{Messages: 1000, Bytes: 25, Age: time.Hour} // of two each
	brief := broker.Retention{Messages: 1000, Bytes: 1 << 20, Age: time.Millisecond}
	for i := 10; i < 99; i += 3 {
		n.say("bytes", bytes, i, i+2)
		n.say("brief", brief, i, i+2)
	}
	if page := n.kept("bytes"); len(page.Deliveries) != 12 {
		t.Errorf("%d of 2 bytes each are kept, want 12", len(page.Deliveries))
	}
	for over := time.Now().Add(10 * time.Second); len(n.kept("brief").Deliveries) > 0; {
		if time.Now().After(over) { // the clock of the server is known to within the time of an answer
			t.Fatal("what has expired is kept")
		}
	}
	top := n.kept("brief").Top
	n.say("brief", hundred, 100, 101)
	page, err := n.Since(t.Context(), "brief", top, 10)
	if err != nil || len(page.Deliveries) != 2 {
		t.Errorf("%d have come since, %v", len(page.Deliveries), err)
	}
	top.Offset--
	if _, err := n.Since(t.Context(), "brief", top, 10); !errors.Is(err, broker.ErrGone) {
		t.Errorf("since before it expired: %v", err)
	}
}

// JetStream itself has not much more than can be read.
func TestWhatIsNotNeededIsRemoved(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	n := begin(t, nats.Options{URL: s.ClientURL(), Streams: nats.Streams{Count: 1}}, nil)
	ten := broker.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}
	for i := range 1000 {
		n.say("room", ten, i+1, i+1)
	}
	conn, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	js, _ := jetstream.New(conn)
	stream, err := js.Stream(t.Context(), "nextrush-0")
	if err != nil {
		t.Fatal(err)
	}
	if has := stream.CachedInfo().State.Msgs; has > 2*64 {
		t.Errorf("the stream has %d messages", has)
	}
	if page := n.kept("room"); len(page.Deliveries) != 10 {
		t.Errorf("%d are kept, want 10", len(page.Deliveries))
	}
}

func TestANodeThatIsSlowIsTold(t *testing.T) {
	s := newServer(t, server.Options{})
	slow := make(chan struct{})
	n := begin(t, nats.Options{URL: s.ClientURL()}, slow)
	other := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	if err := n.Watch(t.Context(), []string{"room"}, nil); err != nil {
		t.Fatal(err)
	}
	for i := range 70 {
		other.say("room", broker.Retention{}, 1000*i+1, 1000*i+1000)
	}
	close(slow)
	n.Await("Lost", func(told natstest.Told) bool { return told.Lost > 0 })
	if !errors.Is(n.Told().Cause, natsgo.ErrSlowConsumer) {
		t.Errorf("the cause is %v", n.Told().Cause)
	}
}

func TestWhatTheServerLacksIsAMistake(t *testing.T) {
	s := newServer(t, server.Options{})
	n := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	if err := n.CanKeep(t.Context()); err == nil || !strings.Contains(err.Error(), "-js") {
		t.Errorf("without JetStream: %v", err)
	}
	one := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	n = begin(t, nats.Options{URL: one.ClientURL(), Streams: nats.Streams{Replicas: 3}}, nil)
	if err := n.CanKeep(t.Context()); err == nil || !strings.Contains(err.Error(), "replicas") {
		t.Errorf("3 replicas on one server: %v", err)
	}
	n = begin(t, nats.Options{URL: one.ClientURL()}, nil)
	if err := n.CanKeep(t.Context()); err != nil {
		t.Error(err)
	}
}

// Anybody who may publish can send a record without envelopes.
func TestAnEmptyRecordDoesNothing(t *testing.T) {
	s := newServer(t, server.Options{})
	n := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	c, err := natsgo.Connect(s.ClientURL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := n.Watch(t.Context(), []string{"room"}, nil); err != nil {
		t.Fatal(err)
	}
	empty := []byte("K\x05epoch" + strings.Repeat("\x00", 12)) // see the fields of record
	for _, subject := range []string{"nextrush.a", "nextrush.r.room"} {
		if err := c.Publish(subject, empty); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	n.say("room", broker.Retention{}, 1, 1)
	n.Await("a delivery", func(told natstest.Told) bool { return len(told.Got) == 1 })
}

func TestWhoIsRefusedIsTold(t *testing.T) {
	s := newServer(t, server.Options{Username: "app", Password: "secret"})
	for url, ok := range map[string]bool{"nats://app:secret@": true, "nats://app:wrong@": false, "nats://": false} {
		b := open(t, nats.Options{URL: url + s.Addr().String()})
		err := b.Start(t.Context(), broker.NewNodeID(), natstest.NewNode(t))
		if (err == nil) != ok || err != nil && !errors.Is(err, natsgo.ErrAuthorization) {
			t.Errorf("%s: %v", url, err)
		}
		b.Close(t.Context())
	}
}

func TestWhoMayNotUseJetStreamIsTold(t *testing.T) {
	user := &server.User{Username: "app", Password: "secret", Permissions: &server.Permissions{
		Publish: &server.SubjectPermission{Allow: []string{"nextrush.>"}},
	}}
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir(), Users: []*server.User{user}})
	n := begin(t, nats.Options{URL: "nats://app:secret@" + s.Addr().String()}, nil)
	if err := n.CanKeep(t.Context()); !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Errorf("it can keep rooms: %v", err)
	}
	elsewhere := open(t, nats.Options{URL: "nats://app:secret@" + s.Addr().String(), Prefix: "other"})
	defer elsewhere.Close(t.Context())
	if err := elsewhere.Start(t.Context(), broker.NewNodeID(), n); !errors.Is(err, natsgo.ErrPermissionViolation) {
		t.Errorf("who may not publish there: %v", err)
	}
}

func TestAServerThatIsNotThereIsNoMistake(t *testing.T) {
	s := newServer(t, server.Options{})
	s.stop()
	n := &node{open(t, nats.Options{URL: "nats://127.0.0.1:" + fmt.Sprint(s.opts.Port)}), natstest.NewNode(t), t}
	if err := n.Start(t.Context(), n.ID, n); err != nil {
		t.Fatal(err)
	}
	defer n.Close(t.Context())
	if err := n.Publish(t.Context(), nil); err == nil {
		t.Error("Publish returns nil")
	}
	s.start()
	n.Await("Up", func(told natstest.Told) bool { return told.Up })
}

func TestWhatIsTooLargeIsToldAndDoesNotStopOthers(t *testing.T) {
	s := newServer(t, server.Options{JetStream: true, StoreDir: t.TempDir()})
	n := begin(t, nats.Options{URL: s.ClientURL()}, nil)
	for i, keep := range []broker.Retention{{}, hundred} {
		room := fmt.Sprint("room ", i)
		if err := n.Watch(t.Context(), []string{room}, nil); err != nil {
			t.Fatal(err)
		}
		batch := []broker.Envelope{{Body: make([]byte, 5<<20)}, {Body: []byte("small")}}
		for j := range batch {
			batch[j].From, batch[j].Seq, batch[j].Room, batch[j].Keep = n.ID, uint64(j+1), room, keep
		}
		lost := n.Told().Lost
		if err := n.Publish(t.Context(), batch); err != nil {
			t.Error(err)
		}
		n.Await("Lost", func(told natstest.Told) bool {
			return told.Lost > lost && strings.Contains(told.Cause.Error(), "max_payload")
		})
		n.Await("the small one", func(told natstest.Told) bool { return len(told.Got) == i+1 && told.Got[i].Room == room })
	}
}
