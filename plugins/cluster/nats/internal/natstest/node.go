package natstest

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Patience is how long something may take that is to happen.
const Patience = 30 * time.Second

// Node is a node as a broker sees it, which keeps what it is told. Its methods are safe from
// any goroutine.
type Node struct {
	ID broker.NodeID

	t    testing.TB
	slow <-chan struct{} // Deliver waits for it; nil: it does not

	mu    sync.Mutex // guards the fields below
	told  Told
	fresh chan struct{} // closed at the next change
}

// Told is what a node was told.
type Told struct {
	Got   []broker.Delivery
	Lost  int   // times
	Cause error // of the last loss
	Up    bool
}

// NewNode makes a node that is not started.
func NewNode(t testing.TB) *Node {
	return &Node{ID: broker.NewNodeID(), t: t, fresh: make(chan struct{})}
}

// Begin starts a broker, waits until it is up, and closes it when the test ends. Deliver
// waits for slow, if that is not nil.
func Begin(t testing.TB, b broker.Broker, slow <-chan struct{}) *Node {
	t.Helper()
	n := NewNode(t)
	n.slow = slow
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := b.Start(ctx, n.ID, n); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { Close(t, b) })
	n.Await("Up", func(told Told) bool { return told.Up })
	return n
}

// Close closes a broker, again if it is closed.
func Close(t testing.TB, b broker.Broker) {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := b.Close(ctx); err != nil {
		t.Error("Close:", err)
	}
}

// Deliver keeps deliveries.
func (n *Node) Deliver(batch []broker.Delivery) {
	for i := range batch {
		batch[i].Body = bytes.Clone(batch[i].Body)
	}
	n.change(func(told *Told) { told.Got = append(told.Got, batch...) })
	if n.slow != nil {
		<-n.slow
	}
}

// Lost counts losses.
func (n *Node) Lost(_ []string, cause error) {
	n.change(func(told *Told) { told.Lost, told.Cause = told.Lost+1, cause })
}

// Invalid fails the test.
func (n *Node) Invalid(cause error) { n.t.Error("Invalid:", cause) }

// Up notes whether the engine can be reached.
func (n *Node) Up(up bool, _ error) { n.change(func(told *Told) { told.Up = up }) }

func (n *Node) change(f func(*Told)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.told)
	close(n.fresh)
	n.fresh = make(chan struct{})
}

// Told is what the node was told so far.
func (n *Node) Told() Told {
	told, _ := n.now()
	return told
}

func (n *Node) now() (told Told, fresh <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.told, n.fresh
}

// Await waits until what the node was told is ok.
func (n *Node) Await(what string, ok func(Told) bool) {
	n.t.Helper()
	for over := time.After(Patience); ; {
		told, fresh := n.now()
		if ok(told) {
			return
		}
		select {
		case <-fresh:
		case <-over:
			n.t.Fatalf("%s: not within %v; there are %d deliveries", what, Patience, len(told.Got))
		}
	}
}
