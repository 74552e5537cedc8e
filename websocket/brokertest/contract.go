package brokertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Engine is what a contract is tested on.
type Engine struct {
	// Open makes a broker for one more node of the same cluster, which no other test uses.
	Open func(t *testing.T) broker.Broker
	// Cut cuts the connections of all brokers, and keeps them cut until mend is called.
	// nil: that is not tested.
	Cut func(t *testing.T) (mend func())
	// Restart has the engine stop and start again, without what it has kept of rooms. nil:
	// that is not tested, as it keeps that.
	Restart func(t *testing.T)
}

// Test tests what package broker promises of brokers, and of those that have
// [broker.History].
func Test(t *testing.T, engine Engine) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Engine)
	}{
		{"WatchersGetARoomInOrder", watchersGetARoomInOrder},
		{"AllAndOne", allAndOne},
		{"WhatComesAfterWatchArrives", whatComesAfterWatchArrives},
		{"WhatIsDroppedEnds", whatIsDroppedEnds},
		{"NamesMayHaveAnyBytes", namesMayHaveAnyBytes},
		{"ManyRoomsManyPublishers", manyRoomsManyPublishers},
		{"WhatFitsArrives", whatFitsArrives},
		{"ContextsEndCalls", contextsEndCalls},
		{"NothingComesAfterClose", nothingComesAfterClose},
		{"CutsAreTold", cutsAreTold},
		{"KeptRoomsHaveOneOrder", keptRoomsHaveOneOrder},
		{"WhatIsPublishedIsThere", whatIsPublishedIsThere},
		{"WhatIsSentAgainIsKeptOnce", whatIsSentAgainIsKeptOnce},
		{"SinceIsWholeOrGone", sinceIsWholeOrGone},
		{"WhatNodesHaveIsRestored", whatNodesHaveIsRestored},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, engine) })
	}
}

// patience is how long something may take that is to happen.
const patience = 30 * time.Second

// listener is an Inbound that keeps what it gets.
type listener struct {
	self broker.NodeID
	broker.Broker
	t *testing.T

	mu    sync.Mutex // guards the fields below
	got   []broker.Delivery
	lost  int
	up    bool
	peers []broker.NodeID
	fresh chan struct{} // closed at the next change
}

func (l *listener) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	close(l.fresh)
	l.fresh = make(chan struct{})
}

func (l *listener) Deliver(batch []broker.Delivery) {
	for i := range batch {
		batch[i].Body = bytes.Clone(batch[i].Body)
	}
	l.change(func() { l.got = append(l.got, batch...) })
}
func (l *listener) Lost(rooms []string, cause error) { l.change(func() { l.lost++ }) }
func (l *listener) Invalid(cause error)              { l.t.Error("Invalid:", cause) }
func (l *listener) Up(up bool, cause error)          { l.change(func() { l.up = up }) }

// await waits until ok, which is called under the lock.
func (l *listener) await(what string, ok func() bool) {
	l.t.Helper()
	over := time.After(patience)
	for {
		l.mu.Lock()
		is, fresh := ok(), l.fresh
		l.mu.Unlock()
		if is {
			return
		}
		select {
		case <-fresh:
		case <-over:
			l.t.Fatalf("%s: not within %v; there are %d deliveries", what, patience, len(l.got))
		}
	}
}

func (l *listener) losses() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lost
}

// in returns what has come to a room from a node, and waits until it is n at least.
func (l *listener) in(room string, n int) (list []broker.Delivery) {
	l.t.Helper()
	l.await(fmt.Sprintf("%d deliveries in %.20q", n, room), func() bool {
		list = nil
		for _, d := range l.got {
			if d.Room == room {
				list = append(list, d)
			}
		}
		return len(list) >= n
	})
	return list
}

func start(t *testing.T, engine Engine) *listener {
	t.Helper()
	l := &listener{self: broker.NewNodeID(), Broker: engine.Open(t), t: t, fresh: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := l.Start(ctx, l.self, l); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := l.Close(ctx); err != nil {
			t.Error("Close:", err)
		}
	})
	l.await("Up", func() bool { return l.up })
	return l
}

func (l *listener) watch(add ...string) {
	l.t.Helper()
	if err := l.Watch(context.Background(), add, nil); err != nil {
		l.t.Fatal("Watch:", err)
	}
}

func (l *listener) publish(batch ...broker.Envelope) {
	l.t.Helper()
	for i := range batch {
		batch[i].From = l.self
	}
	if err := l.Publish(context.Background(), batch); err != nil {
		l.t.Error("Publish:", err)
	}
}

func numbered(room string, from, n int) (batch []broker.Envelope) {
	for i := range n {
		batch = append(batch, broker.Envelope{Room: room, Seq: uint64(from + i), Body: fmt.Append(nil, from+i)})
	}
	return batch
}

func inOrder(t *testing.T, list []broker.Delivery, n int) {
	t.Helper()
	if len(list) != n {
		t.Errorf("%d deliveries, want %d", len(list), n)
	}
	for i, d := range list {
		if d.Seq != uint64(i+1) || string(d.Body) != fmt.Sprint(i+1) {
			t.Fatalf("delivery %d is %d, %q", i+1, d.Seq, d.Body)
		}
	}
}

func watchersGetARoomInOrder(t *testing.T, engine Engine) {
	const n = 1000
	a, b, c := start(t, engine), start(t, engine), start(t, engine)
	b.watch("room", "other")
	c.watch("other")
	for i := 1; i <= n; i += 10 {
		a.publish(numbered("room", i, 10)...)
	}
	large := bytes.Repeat([]byte("x"), 1<<20)
	a.publish(broker.Envelope{Room: "other", Seq: 1, Volatile: true, Control: true, Body: large})
	for _, l := range []*listener{b, c} {
		if d := l.in("other", 1)[0]; d.From != a.self || !d.Volatile || !d.Control || !bytes.Equal(d.Body, large) {
			t.Errorf("it has arrived from %s, volatile %v, control %v, with %d bytes", d.From, d.Volatile, d.Control, len(d.Body))
		}
	}
	inOrder(t, b.in("room", n), n)
	if list := c.in("room", 0); len(list) > 0 {
		t.Errorf("who does not watch a room has got %d of it", len(list))
	}
}

func allAndOne(t *testing.T, engine Engine) {
	a, b, c := start(t, engine), start(t, engine), start(t, engine)
	a.publish(broker.Envelope{Seq: 1, To: b.self, Control: true, Body: []byte("one")}, broker.Envelope{Seq: 1, Body: []byte("all")})
	a.publish(broker.Envelope{Seq: 2, To: c.self, Body: []byte("end")}, broker.Envelope{Seq: 2, To: b.self, Body: []byte("end")})
	for _, x := range []struct {
		l    *listener
		want int
	}{{b, 3}, {c, 2}} {
		for _, d := range x.l.in("", x.want) {
			if one := string(d.Body) == "one"; one && x.l != b || d.To != (broker.NodeID{}) && d.To != x.l.self {
				t.Errorf("%q has come to another", d.Body)
			}
		}
	}
}

// Also if hundreds of rooms come and go at once.
func whatComesAfterWatchArrives(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				room := fmt.Sprintf("room %d %d", i, j)
				b.watch(room)
				a.publish(broker.Envelope{Room: room, Seq: 1, Body: []byte("1")})
			}
		})
	}
	wg.Wait()
	for i := range 400 {
		b.in(fmt.Sprintf("room %d %d", i/20, i%20), 1)
	}
}

func whatIsDroppedEnds(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	b.watch("room", "room", "rest")
	a.publish(numbered("room", 1, 1)...)
	b.in("room", 1)
	if err := b.Watch(context.Background(), []string{"new"}, []string{"room", "never"}); err != nil {
		t.Fatal(err)
	}
	a.publish(append(numbered("room", 2, 1), append(numbered("new", 1, 1), numbered("rest", 1, 1)...)...)...)
	b.in("new", 1)
	b.in("rest", 1)
	if list := b.in("room", 0); len(list) != 1 {
		t.Errorf("%d deliveries, want the one from before it was dropped", len(list))
	}
	b.watch("room")
	a.publish(numbered("room", 3, 1)...)
	if list := b.in("room", 2); list[len(list)-1].Seq != 3 {
		t.Error("a room that is watched again gets nothing")
	}
}

func namesMayHaveAnyBytes(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	names := []string{"*", ">", "a.b", "a.>", "a b", "{tag}", "A", "a", "\x00a", "a\x00", "é", "\xff", "a_", "_a", "a/b", "[a-z]", "a*",
		strings.Repeat("x", 512), strings.Repeat("x", 513), strings.Repeat("\x00", 600)}
	b.watch(names...)
	for _, name := range names {
		a.publish(broker.Envelope{Room: name, Seq: 1, Body: []byte(name)})
	}
	for _, name := range names {
		if list := b.in(name, 1); len(list) != 1 || string(list[0].Body) != name {
			t.Errorf("%.20q has got %d deliveries", name, len(list))
		}
	}
}

func manyRoomsManyPublishers(t *testing.T, engine Engine) {
	const rooms, each, publishers = 1000, 10, 4
	b := start(t, engine)
	var names []string
	for i := range rooms {
		names = append(names, fmt.Sprint("room ", i))
	}
	b.watch(names...)
	var wg sync.WaitGroup
	for range publishers {
		a := start(t, engine)
		wg.Go(func() {
			for i := 1; i <= each; i++ {
				var batch []broker.Envelope
				for _, name := range names {
					batch = append(batch, numbered(name, i, 1)...)
				}
				a.publish(batch...)
			}
		})
	}
	wg.Wait()
	b.await("all deliveries", func() bool { return len(b.got) >= rooms*each*publishers })
	type stream struct {
		from broker.NodeID
		room string
	}
	last := make(map[stream]uint64)
	for _, d := range b.got {
		s := stream{d.From, d.Room}
		if d.Seq != last[s]+1 {
			t.Fatalf("in %s %d comes after %d", d.Room, d.Seq, last[s])
		}
		last[s] = d.Seq
	}
}

// A body of as many bytes as there may be arrives, whatever else the envelope has, and one
// that is larger stops nothing that comes after it.
func whatFitsArrives(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	bounded, ok := a.Broker.(broker.Bounded)
	if !ok {
		t.Skip("the broker takes envelopes of any size")
	}
	most := bounded.MaxBody()
	if most <= 0 {
		t.Fatalf("MaxBody is %d while the engine can be reached", most)
	}
	keeps := []broker.Retention{{}}
	if _, ok := a.Broker.(broker.History); ok {
		keeps = append(keeps, broker.Retention{Messages: 1, Bytes: most, Age: time.Hour})
	}
	for _, keep := range keeps {
		room := newRoom()
		room += strings.Repeat("x", 1000-len(room))
		b.watch(room)
		lost := a.losses()
		fit := broker.Envelope{Seq: 1 << 60, Room: room, Keep: keep, Control: true, Body: bytes.Repeat([]byte("x"), most)}
		large := broker.Envelope{Seq: fit.Seq + 1, Room: room, Keep: keep, Control: true, Body: make([]byte, 2*most)}
		last := broker.Envelope{Seq: fit.Seq + 2, Room: room, Keep: keep, Body: []byte("last")}
		a.publish(fit, large, last)
		list := b.in(room, 2)
		if len(list) != 2 || !bytes.Equal(list[0].Body, fit.Body) || list[1].Seq != last.Seq {
			t.Errorf("%d deliveries, the first with %d bytes, want that of %d and the last", len(list), len(list[0].Body), most)
		}
		a.await("Lost", func() bool { return a.lost > lost })
	}
}

func contextsEndCalls(t *testing.T, engine Engine) {
	a := start(t, engine)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := a.Publish(ctx, numbered("room", 1, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("Publish: %v", err)
	}
	if err := a.Watch(ctx, []string{"room"}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("Watch: %v", err)
	}
}

func nothingComesAfterClose(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	b.watch("room")
	a.publish(numbered("room", 1, 100)...)
	if err := b.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	had := len(b.in("room", 0))
	a.publish(numbered("room", 101, 100)...)
	if now := len(b.in("room", 0)); now != had {
		t.Errorf("%d deliveries after Close", now-had)
	}
	if b.Publish(context.Background(), numbered("room", 1, 1)) == nil {
		t.Error("Publish after Close returns nil")
	}
}

// After a cut the rooms are watched as before, and nobody believes that nothing was lost.
func cutsAreTold(t *testing.T, engine Engine) {
	if engine.Cut == nil {
		t.Skip("the engine cannot be cut")
	}
	a, b := start(t, engine), start(t, engine)
	b.watch("room")
	a.publish(numbered("room", 1, 1)...)
	b.in("room", 1)
	mend := engine.Cut(t)
	for _, l := range []*listener{a, b} {
		l.await("Lost and not Up", func() bool { return l.lost > 0 && !l.up })
	}
	mend()
	for _, l := range []*listener{a, b} {
		l.await("Up again", func() bool { return l.up })
	}
	a.publish(numbered("room", 2, 1)...)
	if list := b.in("room", 2); list[1].Seq != 2 {
		t.Errorf("%d has come, want 2", list[1].Seq)
	}
}
