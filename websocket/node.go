package websocket

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/room"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Broker joins the rooms of several servers; see [Options.Broker].
type Broker = broker.Broker

// NodeGap is what another node has published and did not arrive here; see [Options.OnGap].
type NodeGap struct {
	Node      string // that has published it
	Namespace string
	Room      string // empty: it was not for a room
	Lost      int64  // messages
}

// NewEmitter makes a server without sockets, for a process that sends to those of others:
// a worker, or a cron job. rooms are the Options.Rooms of the others, if they have some.
// Close publishes what waits. Like NewServer, it panics on a mistake.
func NewEmitter(b Broker, rooms ...Rooms) *Server {
	all := make(Rooms)
	for _, r := range rooms {
		maps.Copy(all, r)
	}
	return NewServer(Options{Broker: b, Rooms: all})
}

const (
	watchWait  = time.Second     // the 101 waits at most for other nodes to know of a room
	keptWait   = 5 * time.Second // a join waits for a history: who comes back before it is here is told of a gap
	keeperWait = 5 * time.Second // for a server to say whether it can keep rooms
)

// startNode makes the server one of several, if it has a broker.
func (srv *Server) startNode() (err error) {
	if srv.opts.Broker == nil {
		return nil
	}
	if err := srv.checkBroker(); err != nil {
		return err
	}
	cfg := cluster.Config{Broker: srv.opts.Broker, Local: local{srv}, Logger: srv.opts.Logger}
	if tell := srv.opts.OnGap; tell != nil {
		cfg.OnGap = func(g cluster.Gap) { tell(NodeGap{g.From.String(), g.Namespace, g.Room, g.Lost}) }
	}
	if srv.node, err = cluster.Start(cfg); err != nil {
		return fmt.Errorf("websocket: Options.Broker: %w", err)
	}
	if err = srv.checkKeeper(); err != nil {
		srv.node.Close(context.Background())
		return fmt.Errorf("websocket: Options.Broker: %w", err)
	}
	return nil
}

// checkKeeper finds what the server of the broker lacks for rooms that are kept.
func (srv *Server) checkKeeper() error {
	keeper, ok := srv.opts.Broker.(broker.Keeper)
	if !ok || !srv.opts.Rooms.keeps() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), keeperWait)
	defer cancel()
	return keeper.CanKeep(ctx)
}

// keeps reports whether any rooms have a history.
func (r Rooms) keeps() bool {
	for _, o := range r {
		if o.History.Messages > 0 {
			return true
		}
	}
	return false
}

// checkBroker finds what the broker lacks for the rooms.
func (srv *Server) checkBroker() error {
	_, keeps := srv.opts.Broker.(broker.History)
	for pattern, o := range srv.opts.Rooms {
		if o.History.Messages > 0 && !keeps {
			return fmt.Errorf("websocket: Rooms: %q has a History, which %T cannot keep: use a broker that can, or leave it out", pattern, srv.opts.Broker)
		}
	}
	return nil
}

// roomChanged tells the cluster that a room has somebody in it, or nobody any more.
func (ns *Namespace) roomChanged(room string, made bool) {
	if made {
		ns.srv.node.Enter(ns.name, room)
	} else {
		ns.srv.node.Exit(ns.name, room)
	}
}

// watchNoted has what other nodes send to the rooms from before the 101 arrive from it on,
// or soon after it if the broker is slow. left forgets the rooms if the socket does not
// open.
func (s *Socket) watchNoted() (left func()) {
	node := s.ns.srv.node
	if node == nil {
		return func() {}
	}
	rooms := s.Rooms()
	if len(rooms) == 0 {
		return func() {}
	}
	for _, room := range rooms {
		node.Enter(s.ns.name, room)
	}
	ctx, cancel := context.WithTimeout(context.Background(), watchWait)
	defer cancel()
	for _, room := range rooms {
		if node.Await(ctx, s.ns.name, room) != nil || s.ns.rooms().Ready(ctx, s.ns.key(room)) != nil {
			break
		}
	}
	return func() {
		for _, room := range rooms {
			s.ns.unwatch(room)
		}
	}
}

// await has what other nodes send to rooms arrive, or soon if the broker is slow. Its
// context is not to be that of a socket, which takes memory from when it is used.
func (ns *Namespace) await(under context.Context, rooms ...string) {
	if ns == nil || ns.srv == nil || ns.srv.node == nil {
		return
	}
	if !slices.ContainsFunc(rooms, func(room string) bool { return ns.srv.node.WatchOf(ns.name, room) == 0 }) {
		return
	}
	ctx, cancel := context.WithTimeout(under, watchWait)
	defer cancel()
	for _, room := range rooms {
		if ns.srv.node.Await(ctx, ns.name, room) != nil {
			return
		}
	}
}

// unwatch has a room not received that nobody has come to.
func (ns *Namespace) unwatch(room string) {
	if len(ns.hub.Members(room)) == 0 {
		ns.srv.node.Exit(ns.name, room)
	}
}

// watchKept has the history of a room be here before somebody joins it, or soon after if
// the broker is slow. left is to be called after that.
func (s *Socket) watchKept(name string) (left func()) {
	if s.ns.srv == nil || s.ns.srv.node == nil || !s.ns.rooms().Of(name).Keeps() || s.isLeft() {
		return func() {}
	}
	node := s.ns.srv.node
	node.Enter(s.ns.name, name)
	if s.ns.rooms().Live(s.ns.key(name)) {
		return func() { s.ns.unwatch(name) }
	}
	wait := keptWait
	if !node.IsUp() {
		wait = watchWait
	}
	ctx, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	if node.Await(ctx, s.ns.name, name) == nil {
		s.ns.rooms().Ready(ctx, s.ns.key(name))
	}
	return func() { s.ns.unwatch(name) }
}

// node is the cluster that an Emitter reaches; nil: there is none.
func (e *Emitter) node() *cluster.Node {
	if e.ns == nil || e.ns.srv == nil || e.only || e.vain() {
		return nil
	}
	return e.ns.srv.node
}

// base is a parcel that says what its receivers have in common.
func (e *Emitter) base() cluster.Parcel {
	p := cluster.Parcel{Namespace: e.ns.name, Except: e.except, ExceptRooms: e.exceptRooms, Key: e.key, Volatile: e.volatile}
	if e.from != nil {
		p.Except = append(slices.Clip(p.Except), e.from.id)
	}
	return p
}

// vain reports whether nobody can be meant, as an id is malformed or a list empty. To other
// nodes, a parcel that names nobody is for everyone.
func (e *Emitter) vain() bool { return e.some && len(e.rooms)+len(e.ids)+len(e.users) == 0 }

// address says in a parcel that all nodes get whom it is about.
func (e *Emitter) address(p *cluster.Parcel) {
	b := e.base()
	p.Namespace, p.Every, p.Except, p.ExceptRooms = b.Namespace, e.every, b.Except, b.ExceptRooms
	p.Targets, p.IDs, p.Users = e.rooms, e.ids, e.users
}

// abroad is a parcel for each of the rooms and for the ids that are not here, or one for
// everyone. A socket that is in several rooms gets the first alone.
func (e *Emitter) abroad() (list []*cluster.Parcel) {
	for i, room := range e.rooms {
		p := e.base()
		p.Room, p.ExceptRooms = room, append(slices.Clip(p.ExceptRooms), e.rooms[:i]...)
		list = append(list, &p)
	}
	if ids := e.strangers(); len(ids) > 0 || !e.some {
		p := e.base()
		p.Every, p.IDs, p.ExceptRooms = e.every, ids, append(slices.Clip(p.ExceptRooms), e.rooms...)
		list = append(list, &p)
	}
	return list
}

// strangers are the ids of sockets that are not here.
func (e *Emitter) strangers() (ids [][16]byte) {
	for _, id := range e.ids {
		if e.ns.srv.byKey(id) == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// packed is a message for the sockets of other nodes.
func (e *Emitter) packed(m *Prepared) []*cluster.Parcel {
	list := e.abroad()
	for _, p := range list {
		p.Kind = cluster.Message
		m.pack(p)
	}
	return list
}

// publish sends parcels that fit to other nodes.
func (e *Emitter) publish(n *cluster.Node, list []*cluster.Parcel) (err error) {
	for _, p := range list {
		if n.Publish(p, e.receipt) != nil {
			err = ErrBrokerDown
		}
	}
	return err
}

// keep sends an event to rooms of which some keep it: their members get it with its place,
// when it comes back. Who is in others gets it as ever.
func (e Emitter) keep(n *cluster.Node, m *Prepared) error {
	var kept, plain []string
	for _, room := range e.rooms {
		if list := &plain; !slices.Contains(kept, room) {
			if e.ns.rooms().Of(room).Keeps() {
				list = &kept
			}
			*list = append(*list, room)
		}
	}
	p := e.base()
	p.Kind = cluster.Message
	m.pack(&p)
	if len(kept)+len(plain) > 1 {
		p.Mid = e.ns.rooms().NextMid()
	}
	var list []*cluster.Parcel
	for i, room := range kept {
		to, limits := p, e.ns.rooms().Of(room).Limits
		to.Room, to.Before = room, kept[:i]
		to.Keep = broker.Retention{Messages: limits.Messages, Bytes: limits.Bytes, Age: limits.Age}
		list = append(list, &to)
	}
	if len(plain)+len(e.ids) > 0 {
		e.rooms, e.exceptRooms = plain, append(slices.Clip(e.exceptRooms), kept...)
		return e.send(n, m, append(list, e.packed(m)...))
	}
	if !n.Fits(list) {
		return ErrTooLarge
	}
	return e.publish(n, list)
}

// send queues a message for the receivers of this node, and sends it to others.
func (e Emitter) send(n *cluster.Node, m *Prepared, list []*cluster.Parcel) error {
	if !n.Fits(list) {
		return ErrTooLarge
	}
	e.flush(e.queue(m))
	return e.publish(n, list)
}

// pack puts a message into a parcel, and unpack takes it out.
func (m *Prepared) pack(p *cluster.Parcel) {
	if m.binary != nil {
		p.Bytes = m.binary.Payload()
	}
	if m.frame.Op() == wire.OpText {
		p.Text = m.frame.Payload()
	} else {
		p.Bytes = m.frame.Payload()
	}
}

func unpack(p *cluster.Parcel) *Prepared {
	m := new(Prepared)
	switch {
	case p.Text == nil:
		m.frame.Set(wire.OpBinary, p.Bytes)
	case p.Bytes != nil:
		m.binary = new(conn.Frame)
		m.binary.Set(wire.OpBinary, p.Bytes)
		fallthrough
	default:
		m.frame.Set(wire.OpText, p.Text)
	}
	return m
}

// order has other nodes do something to the receivers that are there.
func (e *Emitter) order(fill func(*cluster.Parcel)) error {
	n := e.node()
	if n == nil {
		return nil
	}
	list := e.abroad()
	for _, p := range list {
		fill(p)
	}
	if !n.Fits(list) {
		return ErrTooLarge
	}
	return e.publish(n, list)
}

// shared is the history that all nodes have.
type shared struct{ srv *Server }

func (h shared) Since(ctx context.Context, key history.Key, after history.Position, limit int) ([]room.Arrival, history.Position, error) {
	list, top, err := h.srv.node.Since(ctx, key.Namespace, key.Room, broker.Position(after), limit)
	switch {
	case errors.Is(err, broker.ErrGone):
		err = room.ErrGone
	case err != nil && ctx.Err() == nil:
		err = fmt.Errorf("%w: %w", ErrBrokerDown, err)
	}
	arrivals := make([]room.Arrival, len(list))
	for i := range list {
		arrivals[i] = *arrival(&list[i])
	}
	return arrivals, history.Position(top), err
}

func (h shared) Tell(key history.Key, data []byte) error {
	return h.srv.node.Publish(&cluster.Parcel{Kind: cluster.Presence, Namespace: key.Namespace, Room: key.Room, Data: data}, nil)
}

func (h shared) Watched(key history.Key) uint64 { return h.srv.node.WatchOf(key.Namespace, key.Room) }

func (h shared) Meet(key history.Key) {
	h.srv.node.Go(func(ctx context.Context) { local(h).meet(ctx, []cluster.RoomName{cluster.RoomName(key)}) })
}

func (h shared) Leaving() (since time.Duration, going bool) { return h.srv.node.Leaving() }

// solo runs one function at a time, and once more if it was asked for meanwhile.
type solo struct{ busy, again atomic.Bool }

func (a *solo) Do(f func()) {
	a.again.Store(true)
	go func() {
		for a.again.Load() && !a.busy.Swap(true) {
			a.again.Store(false)
			f()
			a.busy.Store(false)
		}
	}()
}
