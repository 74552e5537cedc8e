package brokertest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

func (l *listener) history() broker.History {
	h, ok := l.Broker.(broker.History)
	if !ok {
		l.t.Skip("the broker keeps no rooms")
	}
	return h
}

func kept(batch []broker.Envelope, keep broker.Retention) []broker.Envelope {
	for i := range batch {
		batch[i].Keep = keep
	}
	return batch
}

// newRoom is the name of a room that no other test has used.
func newRoom() string { return "room " + rand.Text() }

var plenty = broker.Retention{Messages: 10_000, Bytes: 8 << 20, Age: time.Hour}

// All nodes get all in the order of its offsets, those that publish too.
func keptRoomsHaveOneOrder(t *testing.T, engine Engine) {
	const publishers, each = 3, 100
	var nodes []*listener
	room := newRoom()
	for range publishers {
		l := start(t, engine)
		l.history()
		l.watch(room)
		nodes = append(nodes, l)
	}
	var wg sync.WaitGroup
	for _, l := range nodes {
		wg.Go(func() {
			for i := 1; i <= each; i += 5 {
				l.publish(kept(numbered(room, i, 5), plenty)...)
			}
		})
	}
	wg.Wait()
	first := nodes[0].in(room, publishers*each)
	for _, l := range nodes {
		for i, d := range l.in(room, publishers*each) {
			same := d.From == first[i].From && string(d.Body) == string(first[i].Body)
			if d.Position.Offset != int64(i+1) || d.Position.Epoch == "" || d.Position != first[i].Position || !same {
				t.Fatalf("delivery %d is %v of %s, for another node %v of %s", i+1, d.Position, d.From, first[i].Position, first[i].From)
			}
		}
	}
}

// What a node has published others can read at once.
func whatIsPublishedIsThere(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	h, room := b.history(), newRoom()
	for n := 1; n <= 50; n++ {
		a.publish(kept(numbered(room, n, 1), plenty)...)
		page, err := h.Since(context.Background(), room, broker.Position{}, 100)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Deliveries) != n || page.Top.Offset != int64(n) {
			t.Fatalf("%d are there, up to %d, after %d were published", len(page.Deliveries), page.Top.Offset, n)
		}
	}
}

func whatIsSentAgainIsKeptOnce(t *testing.T, engine Engine) {
	a, b := start(t, engine), start(t, engine)
	h, room := a.history(), newRoom()
	b.watch(room)
	a.publish(kept(numbered(room, 1, 5), plenty)...)
	a.publish(kept(numbered(room, 3, 5), plenty)...)
	inOrder(t, b.in(room, 7), 7)
	page, err := h.Since(context.Background(), room, broker.Position{}, 100)
	if err != nil {
		t.Fatal(err)
	}
	inOrder(t, page.Deliveries, 7)
}

func sinceIsWholeOrGone(t *testing.T, engine Engine) {
	a := start(t, engine)
	h, ctx, room := a.history(), context.Background(), newRoom()
	page, err := h.Since(ctx, room, broker.Position{}, 10)
	if err != nil || len(page.Deliveries) != 0 || page.Top.Offset != 0 || page.Top.Epoch == "" {
		t.Errorf("of a room in which nothing was said: %v, %v", page, err)
	}
	epoch := page.Top.Epoch
	keep := broker.Retention{Messages: 10, Bytes: 1 << 20, Age: time.Hour}
	a.publish(kept(numbered(room, 1, 25), keep)...)
	page, err = h.Since(ctx, room, broker.Position{}, 0)
	top := page.Top
	if err != nil || top.Offset != 25 || top.Epoch != epoch || len(page.Deliveries) != 0 {
		t.Fatalf("the top is %v, %v", page, err)
	}
	for _, x := range []struct {
		after broker.Position
		limit int
		want  []int // first and last
	}{
		{broker.Position{Epoch: top.Epoch, Offset: 20}, 100, []int{21, 25}},
		{broker.Position{Epoch: top.Epoch, Offset: 20}, 2, []int{21, 22}},
		{broker.Position{Epoch: top.Epoch, Offset: 15}, 100, []int{16, 25}},
		{top, 100, []int{26, 25}},
		{broker.Position{Epoch: top.Epoch, Offset: 2}, 100, nil},
		{broker.Position{Epoch: top.Epoch, Offset: 26}, 100, nil},
		{broker.Position{Epoch: "another", Offset: 20}, 100, nil},
	} {
		page, err := h.Since(ctx, room, x.after, x.limit)
		if x.want == nil {
			if !errors.Is(err, broker.ErrGone) {
				t.Errorf("after %v: %v, want ErrGone", x.after, err)
			}
			continue
		}
		if err != nil || len(page.Deliveries) != x.want[1]-x.want[0]+1 || page.Top != top {
			t.Errorf("after %v: %d deliveries, %v, %v", x.after, len(page.Deliveries), page.Top, err)
		}
		for i, d := range page.Deliveries {
			if n := x.want[0] + i; d.Position != (broker.Position{Epoch: top.Epoch, Offset: int64(n)}) || string(d.Body) != fmt.Sprint(n) || d.Room != room || d.From != a.self {
				t.Errorf("after %v: delivery %d is %v, %q", x.after, i, d.Position, d.Body)
			}
		}
	}
	page, err = h.Since(ctx, room, broker.Position{}, 100)
	if n := len(page.Deliveries); err != nil || n == 0 || page.Deliveries[n-1].Position != top {
		t.Errorf("all that is kept: %d deliveries, %v", n, err)
	}
}

// Tails are what has come to rooms that are kept.
func (l *listener) Tails(yield func(room string, at broker.Position, tail []broker.Delivery) bool) {
	l.mu.Lock()
	tails := make(map[string][]broker.Delivery)
	for _, d := range l.got {
		if d.Position != (broker.Position{}) {
			tails[d.Room] = append(tails[d.Room], d)
		}
	}
	l.mu.Unlock()
	for room, tail := range tails {
		if !yield(room, tail[len(tail)-1].Position, tail) {
			return
		}
	}
}

// Peers are those that the test has named.
func (l *listener) Peers() []broker.NodeID {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.peers
}

// A room goes on after what nodes have got of it, though the engine has lost that, and what
// is sent again is still kept once.
func whatNodesHaveIsRestored(t *testing.T, engine Engine) {
	if engine.Restart == nil {
		t.Skip("the engine keeps rooms beyond its end")
	}
	a, b := start(t, engine), start(t, engine)
	h, room := a.history(), newRoom()
	a.change(func() { a.peers = []broker.NodeID{b.self} })
	b.change(func() { b.peers = []broker.NodeID{a.self} })
	b.watch(room)
	a.publish(kept(numbered(room, 1, 10), plenty)...)
	before := b.in(room, 10)[9].Position
	engine.Restart(t)
	for _, l := range []*listener{a, b} {
		l.await("Up", func() bool { return l.up })
	}
	again := kept(numbered(room, 8, 5), plenty)
	for i := range again {
		again[i].From = a.self
	}
	for over := time.Now().Add(patience); a.Publish(context.Background(), again) != nil; {
		if time.Now().After(over) {
			t.Fatal("nothing is published after a restart")
		}
	}
	list := b.in(room, 12)
	inOrder(t, list, 12)
	if at := list[11].Position; at.Epoch != before.Epoch || at.Offset != 12 {
		t.Errorf("after %v comes %v", before, at)
	}
	page, err := h.Since(context.Background(), room, broker.Position{Epoch: before.Epoch, Offset: 2}, 100)
	if err != nil || len(page.Deliveries) != 10 {
		t.Errorf("%d deliveries after the second, %v", len(page.Deliveries), err)
	}
}
