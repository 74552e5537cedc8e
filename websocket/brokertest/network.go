// Package brokertest has a broker in memory, for tests of programs whose rooms span
// several processes, and the contract that every broker passes.
package brokertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Network joins brokers in memory, as an engine with a server of its own would: each
// server of a test gets one as Options.Broker. Its methods are safe from any goroutine.
//
//	network := brokertest.NewNetwork()
//	a := websocket.NewServer(websocket.Options{Broker: network.Broker()})
//	b := websocket.NewServer(websocket.Options{Broker: network.Broker()})
type Network struct {
	mu     sync.Mutex // guards the fields below, and the same of each node
	nodes  map[broker.NodeID]*node
	rooms  map[string]*room           // that are kept
	claims map[string]broker.Position // offsets that nodes have seen, and have no events up to
	epoch  int
	busy   bool // with a Crash
}

// NewNetwork makes a network without brokers.
func NewNetwork() *Network {
	return &Network{nodes: make(map[broker.NodeID]*node), rooms: make(map[string]*room), claims: make(map[string]broker.Position)}
}

// Broker makes a broker for one more node.
func (n *Network) Broker() broker.Broker {
	b := &node{network: n, watched: make(map[string]bool)}
	b.wake = sync.NewCond(&n.mu)
	return b
}

// Errors of Publish and Since.
var (
	ErrCut    = errors.New("brokertest: the node is cut off")
	errClosed = errors.New("brokertest: the broker is not started, or closed")
)

// Cut cuts every node off: what is published fails, and what was on its way is lost.
func (n *Network) Cut() { n.setCut(true) }

// Mend ends a Cut.
func (n *Network) Mend() { n.setCut(false) }

func (n *Network) setCut(cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range n.nodes {
		b.setCutLocked(cut)
	}
}

// Restart forgets what rooms have kept, as a server does that keeps nothing on its disk:
// they begin a new epoch.
func (n *Network) Restart() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.rooms)
}

// Crash is Restart of a server that asks the nodes what they have got last of each room: the
// rooms go on as they were.
func (n *Network) Crash() {
	for _, b := range n.shut() {
		told := make(chan struct{})
		b.call(func() {
			b.in.(broker.Witness).Tails(n.restore)
			close(told)
		})
		select {
		case <-told:
		case <-b.done: // it is closed
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.busy = false
	for name, at := range n.claims {
		if r := n.rooms[name]; r == nil || r.epoch == at.Epoch && r.top < at.Offset {
			n.rooms[name] = &room{epoch: at.Epoch, top: at.Offset, seqs: make(map[broker.NodeID]uint64), used: time.Now()}
		}
	}
	clear(n.claims)
}

// shut drops all rooms, has nothing be published, and lists the nodes that are to be asked.
func (n *Network) shut() (witnesses []*node) {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.rooms)
	n.busy = true
	for _, b := range n.nodes {
		if _, ok := b.in.(broker.Witness); ok && !b.cut {
			witnesses = append(witnesses, b)
		}
	}
	return witnesses
}

// restore takes what a node has got of a room.
func (n *Network) restore(name string, at broker.Position, tail []broker.Delivery) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(tail) == 0 { // others may have what was before
		if was, ok := n.claims[name]; !ok || was.Epoch == at.Epoch && was.Offset < at.Offset {
			n.claims[name] = at
		}
		return true
	}
	r := n.rooms[name]
	if base := at.Offset - int64(len(tail)); r == nil || r.epoch == at.Epoch && r.top < base {
		r = &room{epoch: at.Epoch, top: base, seqs: make(map[broker.NodeID]uint64), used: time.Now()}
		n.rooms[name] = r
	}
	for _, d := range tail {
		if d.Position.Epoch == r.epoch && d.Position.Offset == r.top+1 {
			r.addLocked(d)
		}
	}
	return true
}

// Lose has the next deliveries get lost, without a word, of every node.
func (n *Network) Lose(deliveries int) { n.setLose(deliveries, false) }

// LoseInRooms is Lose for what is sent to rooms, and not for what nodes say to each other.
func (n *Network) LoseInRooms(deliveries int) { n.setLose(deliveries, true) }

func (n *Network) setLose(deliveries int, rooms bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, b := range n.nodes {
		b.lose, b.rooms = deliveries, rooms
	}
}

// room is what is kept of a room. It is guarded by the network's lock.
type room struct {
	epoch string
	kept  []broker.Delivery
	bytes int
	top   int64
	seqs  map[broker.NodeID]uint64 // of the last that each node has published
	used  time.Time
}

func (n *Network) roomLocked(name string) *room {
	r := n.rooms[name]
	if r == nil {
		n.epoch++
		r = &room{epoch: fmt.Sprint("m", n.epoch), seqs: make(map[broker.NodeID]uint64)}
		n.rooms[name] = r
	}
	return r
}

// keepLocked gives an envelope its position; false: it was kept before.
func (n *Network) keepLocked(e *broker.Envelope) (at broker.Position, fresh bool) {
	r := n.roomLocked(e.Room)
	if time.Since(r.used) >= e.Keep.Age {
		r.kept, r.bytes = nil, 0
	}
	if e.Seq <= r.seqs[e.From] {
		return at, false
	}
	at = broker.Position{Epoch: r.epoch, Offset: r.top + 1}
	r.addLocked(broker.Delivery{Envelope: *e, Position: at})
	return at, true
}

// addLocked adds what comes next.
func (r *room) addLocked(d broker.Delivery) {
	e := &d.Envelope
	r.seqs[e.From], r.used = max(r.seqs[e.From], e.Seq), time.Now()
	r.top = d.Position.Offset
	r.kept = append(r.kept, d)
	r.bytes += len(e.Body)
	for len(r.kept) > e.Keep.Messages || r.bytes > e.Keep.Bytes {
		r.bytes -= len(r.kept[0].Body)
		r.kept = r.kept[1:]
	}
}

func (r *room) since(after broker.Position, limit int) (page broker.Page, err error) {
	page.Top = broker.Position{Epoch: r.epoch, Offset: r.top}
	if limit == 0 {
		return page, nil
	}
	first := r.top - int64(len(r.kept)) // the offset before what is kept
	if after == (broker.Position{}) {
		after = broker.Position{Epoch: r.epoch, Offset: first}
	}
	if after.Epoch != r.epoch || after.Offset < first || after.Offset > r.top {
		return page, broker.ErrGone
	}
	page.Deliveries = slices.Clone(r.kept[after.Offset-first:])
	if len(page.Deliveries) > limit {
		page.Deliveries = page.Deliveries[:limit]
	}
	return page, nil
}

// node is the broker of one node. Its fields are guarded by the network's lock.
type node struct {
	network *Network
	self    broker.NodeID
	in      broker.Inbound
	watched map[string]bool
	calls   []func() // of in, that are due
	wake    *sync.Cond
	cut     bool
	lose    int
	rooms   bool // of those to rooms alone
	closed  bool
	done    chan struct{} // closed when no call will come; nil: not started
}

func (b *node) Start(ctx context.Context, self broker.NodeID, in broker.Inbound) error {
	n := b.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if b.done != nil || b.closed {
		return errors.New("brokertest: a broker is for one server: call Network.Broker for each")
	}
	b.self, b.in, b.done = self, in, make(chan struct{})
	n.nodes[self] = b
	b.callLocked(func() { in.Up(true, nil) })
	go b.run()
	return nil
}

// run makes the calls of in, in order and under no lock.
func (b *node) run() {
	defer close(b.done)
	for {
		calls, ok := b.take()
		if !ok {
			return
		}
		for _, call := range calls {
			call()
		}
	}
}

func (b *node) take() (calls []func(), ok bool) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	for len(b.calls) == 0 && !b.closed {
		b.wake.Wait()
	}
	calls, b.calls = b.calls, nil
	return calls, !b.closed
}

func (b *node) call(f func()) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	b.callLocked(f)
}

func (b *node) callLocked(call func()) {
	b.calls = append(b.calls, call)
	b.wake.Signal()
}

func (b *node) setCutLocked(cut bool) {
	switch {
	case cut == b.cut:
		return
	case cut:
		b.calls = nil
		b.callLocked(func() { b.in.Lost(nil, ErrCut); b.in.Up(false, ErrCut) })
	default:
		b.callLocked(func() { b.in.Up(true, nil) })
	}
	b.cut = cut
}

func (b *node) errLocked(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case b.done == nil || b.closed:
		return errClosed
	case b.cut, b.network.busy:
		return ErrCut
	}
	return nil
}

func (b *node) Watch(ctx context.Context, add, drop []string) error {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	if err := b.errLocked(ctx); err != nil {
		return err
	}
	for _, name := range drop {
		delete(b.watched, name)
	}
	for _, name := range add {
		b.watched[name] = true
	}
	return nil
}

func (b *node) Publish(ctx context.Context, batch []broker.Envelope) error {
	n := b.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := b.errLocked(ctx); err != nil {
		return err
	}
	for _, e := range batch {
		e.Body = slices.Clone(e.Body)
		d := broker.Delivery{Envelope: e}
		if e.Keep != (broker.Retention{}) {
			at, fresh := n.keepLocked(&e)
			if !fresh {
				continue
			}
			d.Position = at
		}
		for _, to := range n.nodes {
			to.deliverLocked(d)
		}
	}
	return nil
}

func (b *node) deliverLocked(d broker.Delivery) {
	switch {
	case b.cut || d.Room != "" && !b.watched[d.Room]:
	case d.Room == "" && d.To != (broker.NodeID{}) && d.To != b.self:
	case b.lose > 0 && (d.Room != "" || !b.rooms):
		b.lose--
	default:
		b.callLocked(func() { b.in.Deliver([]broker.Delivery{d}) })
	}
}

func (b *node) Since(ctx context.Context, name string, after broker.Position, limit int) (broker.Page, error) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	if err := b.errLocked(ctx); err != nil {
		return broker.Page{}, err
	}
	return b.network.roomLocked(name).since(after, limit)
}

func (b *node) Close(ctx context.Context) error {
	done := b.close()
	if done == nil {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *node) close() (done chan struct{}) {
	b.network.mu.Lock()
	defer b.network.mu.Unlock()
	delete(b.network.nodes, b.self)
	b.closed = true
	b.wake.Signal()
	return b.done
}
