// Package cluster makes a server one of several nodes: what is sent here reaches the
// sockets of the others, by way of a broker. It knows no sockets; what parcels are to do
// with them is a Local's work.
package cluster

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/seldom"
	"github.com/nextrush/nextrush/websocket/broker"
)

// Local is the sockets of a node. Its methods are called from goroutines of the node,
// under no lock. The contexts end when the node is closed.
type Local interface {
	// Take does what other nodes ask, in order. The parcels are the callee's until it
	// returns, and their bytes for good.
	Take([]Parcel)
	// Answer carries out a call of another node, and gives answer what it has found, some
	// times or none. An error of answer is ErrDown or ErrTooLarge.
	Answer(ctx context.Context, call *Parcel, answer func(data []byte) error)
	// Sockets is how many there are.
	Sockets() int64
	// Lost says that what was sent to some rooms may have been lost; none: to any.
	Lost(ctx context.Context, rooms []RoomName)
	// Missed says that what nodes say of who is in a room may have been lost; none: in any.
	Missed(rooms []RoomName)
	// Gone says that a node is gone, and whether it has said goodbye.
	Gone(id broker.NodeID, goodbye bool)
	// Tails yields what came last in the rooms that keep it, with the position of the last.
	Tails(yield func(room RoomName, at broker.Position, came []*broker.Envelope) bool)
	// Watched says that what is sent to some rooms arrives from now on.
	Watched(ctx context.Context, rooms []RoomName)
}

// RoomName names a room among those of all namespaces.
type RoomName struct{ Namespace, Room string }

// Gap is what has been published to a room by another node, and did not arrive.
type Gap struct {
	From      broker.NodeID
	Namespace string
	Room      string // empty: it was for the sockets of all rooms
	Lost      int64  // messages
}

// Config is what a node is made of.
type Config struct {
	Broker broker.Broker
	Local  Local
	Logger *slog.Logger
	OnGap  func(Gap) // nil: nobody
}

// Counts is what a node counts.
type Counts struct {
	Published  atomic.Int64 // envelopes that were handed to the broker
	Received   atomic.Int64 // envelopes of other nodes
	Dropped    atomic.Int64 // of this node, that were never published
	Lost       atomic.Int64 // of other nodes, that did not arrive
	Duplicates atomic.Int64
	Invalid    atomic.Int64 // that are not envelopes of ours
}

// Node is this process among others. Its methods are safe from any goroutine.
type Node struct {
	self          broker.NodeID
	everyone, own uint64 // streams
	broker        broker.Broker
	local         Local
	logger        *slog.Logger
	onGap         func(Gap)
	began         time.Time
	count         Counts

	outbox  *outbox
	watcher *watcher
	workers []*worker
	members members
	calls   calls
	gaps    chan Gap

	failures seldom.Log
	maxBody  atomic.Int64 // bytes that the engine takes; 0: it is not known
	up       atomic.Bool
	upAt     atomic.Int64    // since when, in nanoseconds
	down     atomic.Bool     // it was up
	leaving  atomic.Int64    // since when, in nanoseconds; 0: it stays
	ctx      context.Context // of what the node does by itself
	stop     context.CancelFunc
	running  sync.WaitGroup
	sent     chan struct{} // closed when the outbox is done
	closing  sync.Once
	closed   error
}

const (
	startTimeout = 5 * time.Second
	acquaintance = beatPeriod + beatPeriod/2 // in which all are heard
	beginning    = time.Second               // in which a broker can be reached
	maxGaps      = 1024                      // that wait for OnGap
)

// Start makes a node and connects it. Its error is a mistake at set-up.
func Start(cfg Config) (*Node, error) {
	n := &Node{
		self: broker.NewNodeID(), broker: cfg.Broker, local: cfg.Local, logger: cfg.Logger, onGap: cfg.OnGap, began: time.Now(),
		gaps: make(chan Gap, maxGaps), sent: make(chan struct{}),
	}
	n.everyone, n.own = streamOf("", broker.NodeID{}), streamOf("", n.self)
	n.outbox = newOutbox(n)
	n.watcher = newWatcher(n)
	n.members.known, n.members.past = make(map[broker.NodeID]*member), make(map[broker.NodeID]*member)
	n.members.gone = make(map[broker.NodeID]int64)
	n.calls.open = make(map[uint64]*Asking)
	for range runtime.GOMAXPROCS(0) {
		n.workers = append(n.workers, &worker{node: n, wake: make(chan struct{}, 1), in: newIncoming(n)})
	}
	n.ctx, n.stop = context.WithCancel(context.Background())
	n.run()
	ctx, cancel := context.WithTimeout(n.ctx, startTimeout)
	defer cancel()
	if err := n.broker.Start(ctx, n.self, n); err != nil {
		n.end()
		return nil, err
	}
	return n, nil
}

func (n *Node) run() {
	for _, w := range n.workers {
		n.running.Go(w.run)
	}
	n.running.Go(func() { n.watcher.run(n.ctx) })
	n.running.Go(func() { n.outbox.run(n.ctx); close(n.sent) })
	n.running.Go(n.beat)
	n.running.Go(n.tellGaps)
}

// end stops what run has started.
func (n *Node) end() {
	n.stop()
	for _, w := range n.workers {
		w.close()
	}
	n.running.Wait()
}

// Leave tells the others that this node goes. It still publishes.
func (n *Node) Leave() {
	if n.leaving.CompareAndSwap(0, max(n.now(), 1)) {
		n.outbox.put(letter{parcel: &Parcel{Kind: Goodbye}})
	}
}

// Go runs a function of this node, whose context ends with it.
func (n *Node) Go(f func(context.Context)) { n.running.Go(func() { f(n.ctx) }) }

// Acquaint waits until this node has had the time to hear of all others.
func (n *Node) Acquaint(ctx context.Context) {
	if wait := acquaintance - time.Duration(n.now()-n.upAt.Load()); wait > 0 {
		pause(ctx, wait)
	}
}

// Leaving reports whether this node has told the others that it goes, and how long ago.
func (n *Node) Leaving() (since time.Duration, is bool) {
	at := n.leaving.Load()
	return time.Duration(n.now() - at), at != 0
}

// Close publishes what waits, until ctx ends or the broker cannot be reached, and then ends
// the connection. The second call waits for the first.
func (n *Node) Close(ctx context.Context) error {
	n.closing.Do(func() { n.closed = n.close(ctx) })
	return n.closed
}

func (n *Node) close(ctx context.Context) error {
	n.Leave()
	n.outbox.put(letter{parcel: &Parcel{Kind: Goodbye}}) // the numbers of what was published since then
	n.outbox.close()
	last := time.After(plainPatience)
	select {
	case <-n.sent:
	case <-last:
	case <-ctx.Done():
	}
	n.stop()
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	err := n.broker.Close(closing)
	n.end()
	return err
}

func (n *Node) now() int64 { return int64(time.Since(n.began)) }

// ID is the name of the node.
func (n *Node) ID() broker.NodeID { return n.self }

// Up reports whether the engine can be reached.
func (n *Node) IsUp() bool { return n.up.Load() }

// Counts is what the node counts.
func (n *Node) Counts() *Counts { return &n.count }

// Watched is how many rooms the node receives.
func (n *Node) Watched() int { return n.watcher.count() }

// Waiting is how many bytes wait to be published.
func (n *Node) Waiting() int64 {
	n.outbox.mu.Lock()
	defer n.outbox.mu.Unlock()
	return int64(n.outbox.bytes + n.outbox.kept)
}

// Enter and Exit say that a room has somebody in it, or nobody any more. They do no I/O.
func (n *Node) Enter(namespace, room string) { n.watcher.note(RoomKey(namespace, room), true) }

// Exit is the opposite of Enter.
func (n *Node) Exit(namespace, room string) { n.watcher.note(RoomKey(namespace, room), false) }

// WatchOf is the number of the watch of a room that is in force, of which each is another;
// 0: it is not received.
func (n *Node) WatchOf(namespace, room string) uint64 { return n.watcher.of(RoomKey(namespace, room)) }

// Await waits until a room that was entered is received. It does not while the broker
// cannot be reached, unless the node has just begun.
func (n *Node) Await(ctx context.Context, namespace, room string) error {
	if !n.up.Load() && time.Since(n.began) > beginning {
		return ErrDown
	}
	return n.watcher.await(ctx, RoomKey(namespace, room))
}

// Publish queues a parcel for all nodes that have to do with it; r is nil, or for who waits.
// ErrDown and ErrTooLarge: it will not be published.
func (n *Node) Publish(p *Parcel, r *Receipt) error {
	return n.outbox.put(letter{parcel: p, wanted: r})
}

// Fits reports whether none of the parcels is larger than what the engine takes.
func (n *Node) Fits(parcels []*Parcel) bool {
	for _, p := range parcels {
		if !n.takes(p.size()) {
			return false
		}
	}
	return true
}

func (n *Node) takes(size int) bool {
	most := n.maxBody.Load()
	return most == 0 || int64(size) <= most
}

// measure notes what the engine takes, which can be reached.
func (n *Node) measure() {
	if b, ok := n.broker.(broker.Bounded); ok {
		n.maxBody.Store(int64(b.MaxBody()))
	}
}

// Deliver takes what has arrived.
func (n *Node) Deliver(batch []broker.Delivery) {
	for _, d := range batch {
		if d.From == n.self && d.Position == (broker.Position{}) {
			continue // its sockets have got it
		}
		stream := streamOf(d.Room, d.To)
		if !n.workers[stream%uint64(len(n.workers))].put(arrival{Delivery: d}) {
			n.failed("receive", errFull) // the gap is counted when the next one comes
			if d.Position != (broker.Position{}) {
				n.local.Lost(n.ctx, roomNames([]string{d.Room}))
			}
		}
	}
}

// Lost has rooms that keep what is sent look whether they have all. Of others the numbers
// tell, of what comes next or of what the other nodes announce.
func (n *Node) Lost(rooms []string, cause error) {
	n.failed("receive", cause)
	n.local.Lost(n.ctx, roomNames(rooms))
	n.local.Missed(roomNames(rooms))
}

func roomNames(keys []string) (names []RoomName) {
	for _, key := range keys {
		if namespace, room, ok := splitKey(key); ok {
			names = append(names, RoomName{namespace, room})
		}
	}
	return names
}

// Since reads what a room has kept; see [broker.History].
func (n *Node) Since(ctx context.Context, namespace, room string, after broker.Position, limit int) ([]Parcel, broker.Position, error) {
	if n.down.Load() {
		return nil, broker.Position{}, ErrDown // when it is up again, rooms are read
	}
	page, err := n.broker.(broker.History).Since(ctx, RoomKey(namespace, room), after, limit)
	if err != nil {
		if !errors.Is(err, broker.ErrGone) {
			n.failed("read history", err)
			n.watcher.unreadable(RoomKey(namespace, room))
		}
		return nil, page.Top, err
	}
	parcels := make([]Parcel, 0, len(page.Deliveries))
	for i := range page.Deliveries {
		p, err := open(&page.Deliveries[i])
		if err != nil {
			return nil, page.Top, err
		}
		parcels = append(parcels, p)
	}
	return parcels, page.Top, nil
}

// Tails yields what this node has got last of rooms that keep it; see [broker.Witness].
func (n *Node) Tails(yield func(room string, at broker.Position, tail []broker.Delivery) bool) {
	n.settle()
	n.local.Tails(func(room RoomName, at broker.Position, came []*broker.Envelope) bool {
		tail := make([]broker.Delivery, len(came))
		for i, e := range came {
			tail[i] = broker.Delivery{Envelope: *e, Position: broker.Position{Epoch: at.Epoch, Offset: at.Offset - int64(len(came)-1-i)}}
		}
		return yield(RoomKey(room.Namespace, room.Room), at, tail)
	})
}

// settle waits until what has arrived is seen to.
func (n *Node) settle() {
	seen := make(chan struct{}, len(n.workers))
	for _, w := range n.workers {
		if !w.put(arrival{seen: seen}) {
			seen <- struct{}{}
		}
	}
	for range n.workers {
		select {
		case <-seen:
		case <-n.ctx.Done():
			return
		}
	}
}

// Invalid counts what is not an envelope.
func (n *Node) Invalid(cause error) {
	n.count.Invalid.Add(1)
	n.failed("invalid message", cause)
}

// Up notes whether the engine can be reached.
func (n *Node) Up(up bool, cause error) {
	if up {
		n.measure()
	}
	n.outbox.setUp(up) // before others see it: what they then send is treated as they expect
	if n.up.Swap(up) != up {
		if up {
			n.logger.Info("websocket: the cluster can be reached", "node", n.self.String())
		} else {
			n.logger.Warn("websocket: the cluster cannot be reached", "node", n.self.String(), "error", cause)
		}
	}
	n.upAt.Store(n.now())
	n.down.Store(!up)
	n.members.setUp(up, n.now())
	if up {
		n.watcher.tick()
		n.local.Lost(n.ctx, nil) // what could not be read can be read now
		n.local.Missed(nil)
	}
}

// failed logs a failure, seldom.
func (n *Node) failed(what string, err error) {
	if n.ctx.Err() != nil || err == nil {
		return
	}
	if skipped, due := n.failures.Due(what); due {
		n.logger.Warn("websocket: cluster: "+what, "error", err, "more", skipped)
	}
}
