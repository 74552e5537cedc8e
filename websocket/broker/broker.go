// Package broker is the seam between the nodes of a cluster: what a message engine has to
// do so that the rooms of package websocket span several processes. A program opens one
// of the brokers in plugins/cluster and gives it to websocket.Options; who writes another
// tests it with package brokertest.
package broker

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"
)

// NodeID names a node: one process, from its start to its end.
type NodeID [16]byte

// NewNodeID makes an id that no other node has.
func NewNodeID() (id NodeID) {
	rand.Read(id[:])
	return id
}

// String is the id in 22 characters of base64url.
func (id NodeID) String() string { return base64.RawURLEncoding.EncodeToString(id[:]) }

// Broker carries envelopes between nodes. Its methods are safe from any goroutine, and
// return when ctx ends.
type Broker interface {
	// Start connects a node, which from then on gets what is published to all nodes and to
	// it. It is called once, before the other methods. An engine that cannot be reached is
	// no error: in is told by Up, and Start goes on trying. The error is a mistake at
	// set-up, or a server that lacks something, and its text says what.
	Start(ctx context.Context, self NodeID, in Inbound) error
	// Watch changes the rooms that the node receives. Once it has returned nil, what is
	// published to those that were added reaches in, or in.Lost tells. After an error the
	// node asks again, with the same names and others; asking for what is so is harmless.
	Watch(ctx context.Context, add, drop []string) error
	// Publish sends envelopes in the order given, and keeps those that have a Retention:
	// when it has returned nil the engine has these, and other nodes read them by Since. It
	// does not keep the slice or its bytes. After an error any number may have been sent; to
	// send them again is harmless.
	Publish(ctx context.Context, batch []Envelope) error
	// Close ends the connection. in is not called any more when it has returned.
	Close(ctx context.Context) error
}

// History is what a Broker has, too, that keeps the envelopes of rooms.
type History interface {
	// Since returns what a room has kept after a position, in order and without a hole, of
	// that the first limit; 0: only the top. ErrGone: something of it is not kept any more,
	// or the position is of another epoch. The zero position is before all that is kept,
	// and is never gone. A room of which nothing is known gets an epoch by it, which its
	// first envelope then has.
	Since(ctx context.Context, room string, after Position, limit int) (Page, error)
}

// Keeper is what a History has whose server may be unable to keep rooms.
type Keeper interface {
	// CanKeep returns an error whose text says what the server lacks. It is asked after
	// Start, if there are rooms to be kept. A server that cannot be reached lacks nothing yet.
	CanKeep(ctx context.Context) error
}

// Bounded is what a Broker is, too, whose engine takes no envelope of any size.
type Bounded interface {
	// MaxBody is how many bytes the Body of an envelope may have at most; 0: it is not known.
	// It is asked while the engine can be reached, and may change when it is reached again.
	// Nodes publish nothing larger; what still comes is left out, and in.Lost tells.
	MaxBody() int
}

// ErrGone says that a room does not have all any more that came after a position.
var ErrGone = errors.New("broker: the history after that position is gone")

// Inbound is a node as a broker sees it. Its methods do not block for long, take what they
// are given, and are called from one goroutine at a time for each room.
type Inbound interface {
	// Deliver takes what one read has brought, in order for each room.
	Deliver(batch []Delivery)
	// Lost says that deliveries to some rooms may be missing from here on; none: to any.
	Lost(rooms []string, cause error)
	// Invalid says that something was dropped because it is not an envelope of this cluster.
	Invalid(cause error)
	// Up says whether the engine can be reached. It is not until the first call.
	Up(up bool, cause error)
}

// Witness is what an Inbound is, too, that helps an engine which may have lost what it had
// acknowledged, as after a crash or a failover.
type Witness interface {
	// Tails yields what the node has got last of each kept room that it watches: in order,
	// without a hole, up to at. If it has got something of which it lacks what came before,
	// the position of that follows, with an empty tail: a room that goes on does so behind it.
	// Tails waits for what was delivered before to be seen to.
	Tails(yield func(room string, at Position, tail []Delivery) bool)
	// Peers lists the other nodes that were there when the engine could last be reached:
	// they may have got what this one has not.
	Peers() []NodeID
}

// Envelope is one message on its way between nodes. Brokers do not look into Room and
// Body, which may have any bytes.
type Envelope struct {
	Room     string    // to the nodes that watch it; empty: to all nodes, or to To
	To       NodeID    // to this node alone, if Room is empty
	From     NodeID    // the node that has published it
	Seq      uint64    // rises with each that From publishes to the same Room, to all, or to To; 0: nobody misses it
	Keep     Retention // zero: it is not kept
	Volatile bool      // it may be dropped where something is slow
	Control  bool      // it makes a node do something: it is signed if the cluster has a secret
	Body     []byte
}

// Retention bounds what is kept of a room. What is over it goes, the oldest first.
type Retention struct {
	Messages int
	Bytes    int           // of bodies
	Age      time.Duration // since the last; the whole room
}

// Position is a place in what is kept of a room: behind one envelope, and before the
// next. Offsets of one epoch have no hole; another epoch has its own.
type Position struct {
	Epoch  string // at most 64 bytes of printable ASCII
	Offset int64  // the first envelope has 1
}

// Delivery is an envelope that has arrived, with its position if it is kept.
type Delivery struct {
	Envelope
	Position Position
}

// Page is a part of what is kept of a room.
type Page struct {
	Deliveries []Delivery
	Top        Position // of the newest that is kept
}
