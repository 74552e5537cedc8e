// Package nats joins the rooms of several processes over NATS:
//
//	broker, err := nats.Open("nats://localhost:4222")
//	if err != nil {
//		return err
//	}
//	app.EnableWebSocket(websocket.Options{Broker: broker})
//
// Rooms without a history go over core NATS. Rooms with one are kept by JetStream, which
// nats-server has if it is started with -js; it must be 2.10 at least, and 2.11 reads faster.
//
// # Faults
//
// A connection that ends is known at once, and one that is silent within 6.5 s, since the
// broker sends messages to itself. It connects again, to any server of the URL or
// of the same NATS, after 0.1 to 5 s. What others publish meanwhile does not arrive: in a
// room with a history it is read afterwards, in another one it is lost, and the node counts
// it by the numbers of messages. The same holds while two servers of one NATS cannot
// reach each other, of which nobody is told, and for a node that is too slow.
//
// What is sent again because a reply was lost is kept once. A server that is stopped or
// killed and starts again with its files goes on where it was, in the same epoch. If
// its messages are gone, because they were in memory or no other server had them, rooms
// begin another epoch, and clients are told that they have missed something. One replica
// alone may, if the machine itself crashes, lose what was acknowledged within the last two
// minutes, and give the same offsets to others: use three, or sync_interval: always.
//
// What is larger than the max_payload of the server, 1 MiB unless it says otherwise, less
// 4 KiB, is an error where it is sent, websocket.ErrTooLarge: raise max_payload above the
// MaxMessageSize of the program.
//
// # What is kept
//
// The bounds of a room's history hold exactly for whoever reads it. The streams have more:
// of each room twice as much, and 128 messages at least, for Streams.MaxAge, also after the
// room has expired. Ages are by the clock of the server. A room in which nothing was said for
// MaxAge is forgotten.
package nats

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nextrush/nextrush/websocket/broker"
)

// Options says which NATS, and how it is used. The zero value is complete.
type Options struct {
	// URL is nats://user:password@host:4222, nats://token@host:4222, or tls:// for TLS; several
	// servers are separated by commas. Empty: nats://127.0.0.1:4222.
	URL string
	// Connect is what else the client is to know: a file of credentials, an nkey, certificates,
	// as in nats.UserCredentials("app.creds") of package github.com/nats-io/nats.go. How
	// it connects again, pings and reports is not for these options to say.
	Connect []nats.Option
	// Prefix begins the names of all subjects and streams: programs with another one do not
	// hear of each other. Empty: "nextrush".
	Prefix string
	// Secret signs what has nodes do more than send messages: disconnect sockets, for
	// instance. All nodes have the same. Empty: whoever may publish in this NATS can do that.
	Secret string
	// Partitions has that many subjects carry all rooms, of 1 up: a server needs about a
	// kilobyte for each subject, but a node receives the other rooms of a subject, too, and
	// leaves them out. All nodes have the same. 0: each room has its own, which is best up to
	// some hundred thousand.
	Partitions int
	// Streams says how JetStream keeps the rooms that have a history.
	Streams Streams
}

const (
	defaultPrefix = "nextrush"
	maxPartitions = 1 << 16
)

// Broker is a [broker.Broker] with [broker.History]. It is for one server. Its methods are safe from any
// goroutine.
type Broker struct {
	opts  Options
	codec broker.Codec

	self    broker.NodeID
	in      broker.Inbound
	conn    *nats.Conn
	arrived chan *nats.Msg // of all subscriptions
	heard   atomic.Int64   // when the last came, in nanoseconds
	rooms   rooms
	peers   peers
	streams streams
	tops    tops

	ctx     context.Context // of what goes on by itself
	stop    context.CancelFunc
	began   time.Time
	running sync.WaitGroup
	state   state
}

// Open returns a broker for the NATS with that URL; see [Options]. It fails if the URL is
// malformed; it connects when a server starts with it.
func Open(url string) (*Broker, error) { return New(Options{URL: url}) }

// New is Open with options.
func New(o Options) (*Broker, error) {
	o.URL, o.Prefix = cmp.Or(o.URL, nats.DefaultURL), cmp.Or(o.Prefix, defaultPrefix)
	o.Streams.Count, o.Streams.Replicas = cmp.Or(o.Streams.Count, defaultStreams), cmp.Or(o.Streams.Replicas, 1)
	o.Streams.MaxAge = cmp.Or(o.Streams.MaxAge, defaultAge)
	if err := check(&o); err != nil {
		return nil, err
	}
	b := &Broker{opts: o, codec: broker.Codec{Secret: []byte(o.Secret)}, arrived: make(chan *nats.Msg, maxArrived)}
	b.rooms = rooms{watched: make(map[string]string), subjects: make(map[string]*subject)}
	b.peers = newPeers()
	b.state = newState()
	b.began = time.Now()
	b.ctx, b.stop = context.WithCancel(context.Background())
	return b, nil
}

func check(o *Options) error {
	if o.Partitions < 0 || o.Partitions > maxPartitions {
		return fmt.Errorf("nats: Options.Partitions is %d: it is 0 to %d", o.Partitions, maxPartitions)
	}
	if err := checkPrefix(o.Prefix); err != nil {
		return err
	}
	if err := o.Streams.check(); err != nil {
		return err
	}
	for one := range strings.SplitSeq(o.URL, ",") {
		if err := checkURL(strings.TrimSpace(one)); err != nil {
			return err
		}
	}
	return nil
}

// checkURL finds what is no URL. Its errors do not have it: it may have a password.
func checkURL(text string) error {
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if e, ok := errors.AsType[*url.Error](err); ok {
		return fmt.Errorf("nats: malformed URL: %w", e.Err)
	}
	switch {
	case u.Hostname() == "":
		return errors.New("nats: a URL without a host: it is nats://host:4222")
	case u.Scheme != "nats" && u.Scheme != "tls" && u.Scheme != "ws" && u.Scheme != "wss":
		return fmt.Errorf("nats: %s:// is not known: it is nats, tls, ws or wss", u.Scheme)
	}
	return nil
}

var (
	errStarted    = errors.New("nats: a broker is for one server: open another")
	errNotStarted = errors.New("nats: the broker is not started, or closed")
	errDown       = errors.New("nats: not connected")
)

// Start connects. Its errors are those of a NATS that refuses this client, and of a second
// call.
func (b *Broker) Start(ctx context.Context, self broker.NodeID, in broker.Inbound) error {
	if b.in != nil {
		return errStarted
	}
	b.self, b.in = self, in
	if err := b.connect(ctx); err != nil {
		b.stop()
		return err
	}
	b.running.Go(b.receive)
	b.running.Go(b.keep)
	return nil
}

// ready is why nothing can be sent. Before the peers are known it would not reach them all.
func (b *Broker) ready(ctx context.Context) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case b.in == nil || b.ctx.Err() != nil:
		return errNotStarted
	case !b.conn.IsConnected() || !b.state.isUp():
		return errDown
	}
	return nil
}

// flush waits until the server has done what it was told.
func (b *Broker) flush(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if err := b.conn.FlushWithContext(ctx); err != nil {
		return fmt.Errorf("nats: the server does not answer: %w", err)
	}
	return nil
}

// Close ends the connection.
func (b *Broker) Close(ctx context.Context) error {
	if b.in != nil && b.ctx.Err() == nil {
		b.leave(ctx)
	}
	b.stop()
	done := make(chan struct{})
	go func() {
		if b.conn != nil {
			b.conn.Close()
		}
		b.running.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
