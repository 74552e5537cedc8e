// Package embedded joins the rooms of several processes over a NATS server that is a part of
// each of them: two processes are a cluster, and no server has to be installed.
//
//	broker, err := embedded.Open(embedded.Options{
//		Listen: ":6222", Peers: []string{"app.internal:6222"}, Secret: os.Getenv("CLUSTER_SECRET"),
//	})
//	if err != nil {
//		return err
//	}
//	app.EnableWebSocket(websocket.Options{Broker: broker})
//
// Each node connects to each other one, and tells it of those that it knows. An address that
// is new behind a name of Peers is found within 5 s; until half a second later what is
// published to a room that was just made may be lost to the new node. A connection that ends
// is known at once, and one that is silent within 6.5 s. What is published meanwhile is lost
// to the node behind it: the numbers of messages show that, and OnGap of websocket.Options is
// told. Nodes that cannot reach each other go on, each with those that it can reach, and try to
// connect again every second.
//
// Rooms with a history need a fixed number of nodes that keep them; see StoreDir. For nodes
// that come and go, use plugin cluster/redis or cluster/nats.
//
// NATS encrypts only with TLS: with Secret alone, who can read the network can read what
// sockets are sent, and join.
package embedded

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	natsgo "github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket/broker"
)

// Options says how a node finds the others. Listen and Peers are needed if there are any.
type Options struct {
	// Listen is the address where other nodes connect, as in ":6222". It is not for
	// clients. Beyond loopback it needs Secret or TLS. Empty: there are no other nodes.
	Listen string
	// Peers are the addresses of other nodes, as in "app.internal:6222". A name may have many
	// addresses, which are looked up every 5 s; this node's may be among them. It is enough
	// that every node finds one: they tell each other of the rest.
	Peers []string
	// Secret admits nodes, and signs what has them do more than send messages. All have the
	// same. It does not encrypt: where others can read the network, use TLS.
	Secret string
	// TLS encrypts what nodes say to each other, and admits nodes by their certificates,
	// which each shows: they are signed by RootCAs, and are for ServerName, if that is set.
	TLS *tls.Config
	// Expected is how many nodes there are to be, this one, too: Health fails while there
	// are less. 0: it is not known.
	Expected int
	// Prefix begins the names of all subjects and streams, and is that of the cluster. Empty:
	// "nextrush".
	Prefix string
	// Partitions has that many subjects carry all rooms; see [nats.Options].
	Partitions int

	// StoreDir is where this node keeps its part of the rooms that have a history; Memory
	// keeps them in memory. Either needs Expected, and that no other number of nodes ever
	// runs: 1, or 3 and more, of which Peers has each by a name of its own, this one, too.
	// More than half of them are needed for anything to be kept. Neither: rooms with a
	// history are a mistake at set-up.
	StoreDir string
	Memory   bool
	// Name is that of this node among those that keep rooms, and stays when it starts again.
	// Empty: the host's, with the port of Listen.
	Name string
	// Streams says how rooms are kept. Replicas is 3 if there are so many nodes; Memory is
	// that of Options.
	Streams nats.Streams

	Logger *slog.Logger // nil: slog.Default()
}

const (
	defaultPrefix = "nextrush"
	maxPayload    = 8 << 20 // bytes of one message
	lookEvery     = 5 * time.Second
	meshPatience  = 2 * time.Second // Start waits for other nodes
	routePing     = 1500 * time.Millisecond
	routePings    = 2 // that may be unanswered
	beat          = 200 * time.Millisecond
)

// Broker is a [broker.Broker], with [broker.History] if it keeps rooms. It is for one server.
// Its methods are safe from any goroutine.
type Broker struct {
	opts   Options
	server *server.Server
	engine atomic.Pointer[nats.Broker] // nil: not started
	routes routes
	in     *inbound
	log    *logger

	ctx     context.Context // of what goes on by itself
	stop    context.CancelFunc
	running sync.WaitGroup
	starts  sync.Mutex // held by Start and Close
	own     string     // the token of this node's client
	remove  string     // a folder that goes with the broker

	reloaded *server.Options // those of the server, used by keepRoutes
	resolve  func(ctx context.Context, host string) (addresses []string, err error)
}

// Open returns a broker. Its errors are mistakes in options. It listens when a server starts
// with it.
func Open(o Options) (*Broker, error) {
	o.Prefix, o.Logger = cmp.Or(o.Prefix, defaultPrefix), cmp.Or(o.Logger, slog.Default())
	if err := o.check(); err != nil {
		return nil, err
	}
	b := &Broker{opts: o, own: rand.Text(), resolve: net.DefaultResolver.LookupHost, log: &logger{Logger: o.Logger, fatal: make(chan error, 1)}}
	b.routes = routes{at: make(map[string][]string), peers: make(map[string]bool)}
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

var (
	errStarted = errors.New("embedded: a broker is for one server: open another")
	errClosed  = errors.New("embedded: the broker is not started, or closed")
)

// Start listens, waits for other nodes for at most 2 s, and starts to receive. Its errors are an
// address that is not free, and a second call.
func (b *Broker) Start(ctx context.Context, self broker.NodeID, in broker.Inbound) error {
	b.starts.Lock()
	defer b.starts.Unlock()
	if b.server != nil || b.ctx.Err() != nil {
		return errStarted
	}
	b.in = &inbound{Inbound: in}
	if err := b.startServer(ctx); err != nil {
		b.shutdown()
		return err
	}
	b.running.Go(b.keepRoutes)
	b.awaitPeers(ctx)
	engine, err := nats.New(nats.Options{
		Connect: []natsgo.Option{natsgo.InProcessServer(b.server), natsgo.Token(b.own)}, Prefix: b.opts.Prefix, Secret: b.opts.Secret,
		Partitions: b.opts.Partitions, Streams: b.opts.streams(),
	})
	if err == nil {
		err = engine.Start(ctx, self, b.in)
	}
	if err != nil {
		b.shutdown()
		return err
	}
	b.engine.Store(engine)
	return nil
}

func (b *Broker) startServer(ctx context.Context) (err error) {
	opts, err := b.serverOptions(ctx)
	if err != nil {
		return err
	}
	if b.server, err = server.NewServer(opts); err != nil {
		return fmt.Errorf("embedded: %w", err)
	}
	b.server.SetLoggerV2(b.log, false, false, false)
	b.server.Start()
	for !b.server.ReadyForConnections(10 * time.Millisecond) {
		select {
		case err := <-b.log.fatal:
			return fmt.Errorf("embedded: %w", err)
		case <-ctx.Done():
			return fmt.Errorf("embedded: the server does not start: %w", ctx.Err())
		default:
		}
	}
	b.reloaded = opts.Clone() // with the ports that were chosen
	return nil
}

// Watch changes the rooms that the node receives.
func (b *Broker) Watch(ctx context.Context, add, drop []string) error {
	if engine := b.engine.Load(); engine != nil {
		return engine.Watch(ctx, add, drop)
	}
	return errClosed
}

// Publish sends a batch.
func (b *Broker) Publish(ctx context.Context, batch []broker.Envelope) error {
	if engine := b.engine.Load(); engine != nil {
		return engine.Publish(ctx, batch)
	}
	return errClosed
}

// Since reads what a room has kept.
func (b *Broker) Since(ctx context.Context, room string, after broker.Position, limit int) (broker.Page, error) {
	engine := b.engine.Load()
	switch {
	case !b.opts.keeps():
		return broker.Page{}, errNoHistory
	case engine == nil:
		return broker.Page{}, errClosed
	}
	return engine.Since(ctx, room, after, limit)
}

// MaxBody is how many bytes the body of an envelope may have at most; 0: it is not started.
func (b *Broker) MaxBody() int {
	if engine := b.engine.Load(); engine != nil {
		return engine.MaxBody()
	}
	return 0
}

var errNoHistory = errors.New("embedded: rooms with history need Options.StoreDir or Memory, and a fixed number of nodes: set them, or leave History out")

// CanKeep finds what is missing for rooms with a history.
func (b *Broker) CanKeep(ctx context.Context) error {
	engine := b.engine.Load()
	switch {
	case !b.opts.keeps():
		return errNoHistory
	case engine == nil:
		return nil
	}
	return engine.CanKeep(ctx)
}

// Nodes is how many there are, with this one.
func (b *Broker) Nodes() int { return 1 + b.routes.count() }

// Health fails while there are less nodes than Options.Expected. It is a check for plugin
// health:
//
//	app.Register(health.New().Check("cluster", broker.Health))
//
// A balancer that sends nobody to such a node may leave nobody at all: have it raise an
// alarm, or be a check that the balancer does not see.
func (b *Broker) Health(context.Context) error {
	if n := b.Nodes(); n < b.opts.Expected {
		return fmt.Errorf("embedded: there are %d of %d nodes", n, b.opts.Expected)
	}
	return nil
}

// Close leaves the cluster, and stops listening.
func (b *Broker) Close(ctx context.Context) error {
	b.starts.Lock()
	defer b.starts.Unlock()
	var err error
	if engine := b.engine.Load(); engine != nil {
		err = engine.Close(ctx)
	}
	done := make(chan struct{})
	go func() {
		b.shutdown()
		close(done)
	}()
	select {
	case <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Addr is the address where the node listens for others, or nil.
func (b *Broker) Addr() net.Addr {
	b.starts.Lock()
	defer b.starts.Unlock()
	if b.server == nil || b.server.ClusterAddr() == nil {
		return nil
	}
	return b.server.ClusterAddr()
}

// inbound has the node called by one goroutine at a time, though routes end at any time.
type inbound struct {
	mu sync.Mutex // held during a call
	broker.Inbound
}

func (in *inbound) Deliver(batch []broker.Delivery) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.Inbound.Deliver(batch)
}

func (in *inbound) Lost(rooms []string, cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.Inbound.Lost(rooms, cause)
}

func (in *inbound) Invalid(cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.Inbound.Invalid(cause)
}

func (in *inbound) Up(up bool, cause error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.Inbound.Up(up, cause)
}
