package redis

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/websocket/broker"
)

// busy is a node that takes what is delivered when it is let.
type busy struct {
	let chan struct{} // closed: at once

	mu  sync.Mutex
	got []string
}

func (b *busy) Deliver(batch []broker.Delivery) {
	<-b.let
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range batch {
		b.got = append(b.got, string(d.Body))
	}
}

func (*busy) Lost([]string, error) {}
func (*busy) Invalid(error)        {}
func (*busy) Up(bool, error)       {}

// A node that has no time to read says what it has got only when it has read what was sent
// to it.
func TestAConnectionIsReadToItsEnd(t *testing.T) {
	s := redistest.Start(t)
	b, err := Open(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	in := &busy{let: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	self := broker.NewNodeID()
	if err := b.Start(ctx, self, in); err != nil {
		t.Fatal(err)
	}
	defer b.Close(context.WithoutCancel(ctx))
	for b.Watch(ctx, []string{"room"}, nil) != nil {
		time.Sleep(gateLook) // not connected yet
	}
	want := []string{"1", "2", "3", "4", "5"}
	for i, text := range want {
		if err := b.Publish(ctx, []broker.Envelope{{Room: "room", From: self, Seq: uint64(i + 1), Body: []byte(text)}}); err != nil {
			t.Fatal(err)
		}
	}
	l := b.links[0]
	parts := make(chan struct{})
	go func() {
		defer close(parts)
		for l.reason(nil) == nil && ctx.Err() == nil {
			time.Sleep(gateLook)
		}
		close(in.let)
	}()
	if err := l.settle(ctx); err != nil {
		t.Fatal(err)
	}
	<-parts
	in.mu.Lock()
	defer in.mu.Unlock()
	if !slices.Equal(in.got, want) {
		t.Errorf("%q, want %q", in.got, want)
	}
}
