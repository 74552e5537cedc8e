package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/roster"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Cluster is the nodes that share a [Broker], this one among them; without a broker it is
// this one alone. Its methods act on the sockets of all nodes and wait for what the others
// answer: until ctx ends or, if it has no deadline, for 2 s. If some have not answered, what
// came is returned with a *PartialError. They are safe from any goroutine; in a callback
// they have the socket wait.
type Cluster struct {
	ns    *Namespace
	every bool
}

// Cluster acts on the sockets of all namespaces; of rooms, on those of the default one.
func (srv *Server) Cluster() Cluster { return Cluster{srv.main, true} }

// Cluster is [Server.Cluster] for the sockets of this namespace.
func (ns *Namespace) Cluster() Cluster { return Cluster{ns, false} }

// Target says which sockets of a cluster are meant: [Room], [User], [ID] or [Everyone]. The
// zero Target is none.
type Target struct {
	kind byte
	name string
}

const (
	nobody byte = iota
	everyone
	inRoom
	ofUser
	withID
)

// Everyone is all sockets.
var Everyone = Target{kind: everyone}

// Room is the sockets in a room.
func Room(name string) Target { return Target{inRoom, name} }

// User is the sockets of a user; see [Socket.SetUser]. "" is no user, and means none.
func User(id string) Target { return Target{ofUser, id} }

// ID is the socket with that id.
func ID(id string) Target { return Target{withID, id} }

// PartialError says that some nodes have not answered. What the others have is returned
// with it.
type PartialError struct {
	Missing []string // nodes, as NodeInfo has them
	Err     error    // ErrBrokerDown, ErrTooLarge: they have not been asked, or that of the context
}

func (e *PartialError) Error() string {
	if len(e.Missing) == 0 {
		return fmt.Sprintf("websocket: other nodes have not answered: %v", e.Err)
	}
	return fmt.Sprintf("websocket: %d nodes have not answered (%s): %v", len(e.Missing), strings.Join(e.Missing, ", "), e.Err)
}

// Unwrap gives the reason.
func (e *PartialError) Unwrap() error { return e.Err }

// NodeInfo is a node as the others know it.
type NodeInfo struct {
	ID      string
	Self    bool  // it is this one
	Sockets int64 // about a second ago
	Suspect bool  // nothing has been heard of it for 3 s; after 5 s it is gone
}

// Nodes lists the nodes that are there, this one first.
func (c Cluster) Nodes() (list []NodeInfo) {
	srv := c.ns.srv
	if srv.node == nil {
		return []NodeInfo{{Self: true, Sockets: local{srv}.Sockets()}}
	}
	for i, m := range srv.node.Members() {
		list = append(list, NodeInfo{m.ID.String(), i == 0, m.Sockets, m.Suspect})
	}
	return list
}

// Health fails with ErrBrokerDown while the broker cannot be reached. It asks nobody, and
// is for checks of health: a load balancer sends clients to nodes that reach each other.
func (c Cluster) Health(context.Context) error {
	if n := c.ns.srv.node; n != nil && !n.IsUp() {
		return ErrBrokerDown
	}
	return nil
}

// ClusterStats is what a node counts of its traffic with others; see [Stats].
type ClusterStats struct {
	Node       string `json:"node"`
	Up         bool   `json:"up"`         // the broker can be reached, now
	Nodes      int    `json:"nodes"`      // that are there, this one among them, now
	Rooms      int    `json:"rooms"`      // that this node receives, now
	Queued     int64  `json:"queued"`     // bytes that wait to be published, now
	Published  int64  `json:"published"`  // messages of this node, for others
	Received   int64  `json:"received"`   // messages of others
	Dropped    int64  `json:"dropped"`    // messages of this node that others never got: the broker could not be reached
	Lost       int64  `json:"lost"`       // messages of others that did not arrive
	Duplicates int64  `json:"duplicates"` // that were left out
	Invalid    int64  `json:"invalid"`    // that no node of ours has written
}

func (srv *Server) clusterStats() *ClusterStats {
	n := srv.node
	if n == nil {
		return nil
	}
	c := n.Counts()
	return &ClusterStats{
		Node: n.ID().String(), Up: n.IsUp(), Nodes: len(n.Members()), Rooms: n.Watched(), Queued: n.Waiting(),
		Published: c.Published.Load(), Received: c.Received.Load(), Dropped: c.Dropped.Load(),
		Lost: c.Lost.Load(), Duplicates: c.Duplicates.Load(), Invalid: c.Invalid.Load(),
	}
}

// Disconnect closes sockets as [Socket.Close] does, and returns how many. An error other
// than a *PartialError is that of a code that must not be sent, and nobody is closed.
func (c Cluster) Disconnect(ctx context.Context, t Target, code StatusCode, reason string) (n int, err error) {
	if err := checkCode(code); err != nil {
		return 0, err
	}
	return c.count(ctx, t, cluster.Parcel{Op: opClose, Code: uint16(code), Reason: reason})
}

func checkCode(code StatusCode) error {
	if code != 0 && code != StatusNoStatusRcvd && !wire.ValidCloseCode(uint16(code)) {
		return fmt.Errorf("websocket: close: code %d must not be sent", code)
	}
	return nil
}

// Join puts sockets into rooms, as [Emitter.Join] does, and returns how many were meant.
// ErrRoomName is returned before anybody has joined.
func (c Cluster) Join(ctx context.Context, t Target, rooms ...string) (n int, err error) {
	for _, room := range rooms {
		if err := checkRoom(room); err != nil {
			return 0, err
		}
	}
	return c.count(ctx, t, cluster.Parcel{Op: opJoin, Rooms: rooms})
}

// Leave takes sockets out of rooms, and returns how many were meant.
func (c Cluster) Leave(ctx context.Context, t Target, rooms ...string) (n int, err error) {
	return c.count(ctx, t, cluster.Parcel{Op: opLeave, Rooms: rooms})
}

// Count is how many are somewhere.
type Count struct {
	Sockets int
	Users   int      // a socket without one counts as one
	Missing []string // nodes that have not answered, and are not counted
}

// Count counts who is in a room; "": everywhere. The error is a *PartialError.
func (c Cluster) Count(ctx context.Context, room string) (Count, error) {
	var total Count
	t := Room(room)
	if room == "" {
		t = Everyone
	}
	users := make(map[uint64]struct{})
	err := c.ask(ctx, t, cluster.Parcel{Op: opCount}, func(data []byte) {
		var part countAnswer
		if json.Unmarshal(data, &part) != nil {
			return
		}
		total.Sockets += part.Sockets
		for _, user := range part.Users {
			users[user] = struct{}{}
		}
	})
	total.Users = len(users)
	var partial *PartialError
	if errors.As(err, &partial) {
		total.Missing = partial.Missing
	}
	return total, err
}

// present is the users in a room with presence.
func (ns *Namespace) present(ctx context.Context, room string) (map[string]roster.Member, error) {
	switch rooms := ns.rooms(); {
	case !rooms.Of(room).Shows():
		return nil, nil
	case ns.srv.node == nil:
		return rooms.Present(ns.key(room)), nil
	}
	var parts []map[string]roster.Entry
	err := Cluster{ns, false}.ask(ctx, Room(room), cluster.Parcel{Op: opPresent}, func(data []byte) {
		var part map[string]roster.Entry
		if json.Unmarshal(data, &part) == nil {
			parts = append(parts, part)
		}
	})
	return roster.Merge(parts), err
}

// SocketInfo is what other nodes know of a socket.
type SocketInfo struct {
	ID    string
	Node  string
	User  string // empty: it has none
	IP    string
	Rooms []string
	Since time.Time
}

// Sockets lists sockets, at most limit of each node and of all. The error is a
// *PartialError.
func (c Cluster) Sockets(ctx context.Context, t Target, limit int) (list []SocketInfo, err error) {
	if limit <= 0 {
		return nil, nil
	}
	err = c.ask(ctx, t, cluster.Parcel{Op: opList, Data: fmt.Append(nil, limit)}, func(data []byte) {
		var part []SocketInfo
		if json.Unmarshal(data, &part) == nil {
			list = append(list, part...)
		}
	})
	return list[:min(limit, len(list))], err
}

// Ask sends an event to sockets of all nodes, and yields what they reply; see
// [Emitter.Request]. Time ends as that of the other methods does.
func (c Cluster) Ask(ctx context.Context, t Target, event string, args ...any) iter.Seq[Reply] {
	return func(yield func(Reply) bool) {
		ctx, cancel := withPatience(ctx)
		defer cancel()
		c.emitter(t).Request(ctx, event, args...)(yield)
	}
}

func (c Cluster) emitter(t Target) Emitter {
	e := Emitter{ns: c.ns, every: c.every, some: t.kind != everyone}
	switch {
	case t.name == "":
	case t.kind == inRoom:
		return e.To(t.name)
	case t.kind == withID:
		return e.ToID(t.name)
	case t.kind == ofUser:
		e.users = []string{t.name}
	}
	return e
}

const patience2s = 2 * time.Second

// withPatience gives a context a deadline if it has none.
func withPatience(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, patience2s)
}

// count adds the numbers that the nodes answer.
func (c Cluster) count(ctx context.Context, t Target, p cluster.Parcel) (n int, err error) {
	err = c.ask(ctx, t, p, func(data []byte) {
		var part int
		if json.Unmarshal(data, &part) == nil {
			n += part
		}
	})
	return n, err
}

// ask has each node carry out a call, this one first, and gives take what they answer.
func (c Cluster) ask(ctx context.Context, t Target, p cluster.Parcel, take func([]byte)) error {
	ctx, cancel := withPatience(ctx)
	defer cancel()
	e, srv := c.emitter(t), c.ns.srv
	if e.vain() {
		return nil
	}
	e.address(&p)
	here := func(data []byte) error {
		take(data)
		return nil
	}
	if srv.node == nil {
		local{srv}.Answer(ctx, &p, here)
		return nil
	}
	asking := srv.node.Ask(&p)
	defer asking.Close()
	local{srv}.Answer(ctx, &p, here)
	for {
		data, ok := asking.Next(ctx)
		if !ok {
			break
		}
		take(data)
	}
	return partial(ctx, srv.node, asking)
}

// partial is the error if somebody has not answered.
func partial(ctx context.Context, n *cluster.Node, asking *cluster.Asking) error {
	e := &PartialError{Err: ctx.Err()}
	for _, id := range asking.Missing() {
		e.Missing = append(e.Missing, id.String())
	}
	switch {
	case errors.Is(asking.Err(), cluster.ErrTooLarge):
		e.Err = ErrTooLarge
	case asking.Err() != nil || !n.IsUp():
		e.Err = ErrBrokerDown
	case len(e.Missing) == 0:
		return nil
	}
	return e
}
