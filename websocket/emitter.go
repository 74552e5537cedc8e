package websocket

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/room"
)

// Emitter sends to the sockets of some rooms. It is a value that does not
// change: To, Except, Volatile and their like return another one. A message is encoded
// once and compressed at most once, whatever the number of receivers, and a
// socket that is in several of the rooms gets it once. Safe from any goroutine.
type Emitter struct {
	ns          *Namespace
	every       bool     // everyone in all namespaces, or the ids there
	from        *Socket  // left out, or, with only, the one receiver; nil: nobody
	only        bool     // to from alone
	some        bool     // rooms, ids and users alone; else everyone
	rooms       []string // of ns
	ids         [][16]byte
	users       []string
	except      [][16]byte
	exceptRooms []string
	volatile    bool
	key         string           // of Coalesce
	receipt     *cluster.Receipt // of EmitContext
}

// To adds a room.
func (e Emitter) To(room string) Emitter {
	e.some, e.only = true, false
	if room != "" { // in which nobody is
		e.rooms = append(slices.Clip(e.rooms), room)
	}
	return e
}

// ToID adds the socket with that id, if it is in the namespace.
func (e Emitter) ToID(id string) Emitter {
	e.ids = appendIDs(e.ids, id)
	e.some, e.only = true, false
	return e
}

// Except leaves out the sockets with these ids. It is not for secrets: a room with history
// shows its members what it keeps, and a client that comes back has another id.
func (e Emitter) Except(ids ...string) Emitter {
	e.except = appendIDs(e.except, ids...)
	return e
}

// ExceptRooms leaves out the sockets in these rooms of the namespace.
func (e Emitter) ExceptRooms(rooms ...string) Emitter {
	e.exceptRooms = append(slices.Clip(e.exceptRooms), rooms...)
	return e
}

// appendIDs adds ids to a list that stays as it is. What is not an id is nobody's.
func appendIDs(list [][16]byte, ids ...string) [][16]byte {
	list = slices.Clip(list)
	for _, id := range ids {
		if key, ok := parseID(id); ok {
			list = append(list, key)
		}
	}
	return list
}

// toRooms is To for several, or e if there are none.
func (e Emitter) toRooms(rooms []string) Emitter {
	e.some = len(rooms) > 0
	e.rooms = slices.DeleteFunc(slices.Clone(rooms), func(room string) bool { return room == "" })
	return e
}

// Volatile lets the message be dropped for sockets that are slow to take what
// they have been sent already: good for positions and prices that the next
// message replaces.
func (e Emitter) Volatile() Emitter {
	e.volatile = true
	return e
}

// Coalesce lets a newer message take the place of this one, for sockets that are slow
// to take what they have been sent already: good for the latest price of each share and
// the last position of each cursor. Of the messages with one key that wait for such a
// socket it keeps the newest alone; others get every message. An empty key is none.
//
// A message with a key never overtakes one without that was sent before it. It takes
// the place of the older one unless such a message has come since; then it is put at
// the end.
func (e Emitter) Coalesce(key string) Emitter {
	e.key = key
	return e
}

// Send queues a message for every receiver, encoded as Socket.Send does. The
// error is that of encoding; what happens to a single receiver is its own. A
// client's Emitter has no receivers but itself.
func (e Emitter) Send(v any) error {
	p, err := Prepare(v)
	if err != nil {
		return err
	}
	return e.deliver(p)
}

// Emit queues an event for every receiver; see Socket.Emit.
func (e Emitter) Emit(event string, args ...any) error {
	p, err := prepareEvent(envelope.NewEvent(event, nil), args)
	if err != nil {
		return err
	}
	if e.keeps() {
		if n := e.node(); n != nil {
			return e.keep(n, p)
		}
		e.flush(e.ns.rooms().Emit(e.kept(p)))
		return nil
	}
	return e.deliver(p)
}

// EmitContext is Emit that returns when the event is stored, so that a program can answer
// for it: with a [Broker] when the engine has it, where rooms have their history; without one
// at once. An event that no room keeps, as it is volatile, has a key, or goes to a room
// without history, to everyone or to ids, is only on its way then.
//
// An error before the event is queued is that of Emit. Later ones are ctx's and
// ErrBrokerDown: the engine could not be reached for about 30 s, or the server was closed.
// After those the event may be stored or not. In a callback the socket waits, and no other.
// The context of a socket ends with it: give context.WithoutCancel of it if the answer
// counts without the client, as with [Once].
func (e Emitter) EmitContext(ctx context.Context, event string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := e.node()
	if n == nil {
		return e.Emit(event, args...)
	}
	e.receipt = cluster.NewReceipt()
	if err := e.Emit(event, args...); err != nil {
		return err
	}
	err := n.Wait(ctx, e.receipt)
	if errors.Is(err, cluster.ErrDown) {
		return ErrBrokerDown
	}
	return err
}

// keeps reports whether an event is to be kept by a room.
func (e *Emitter) keeps() bool {
	return !e.only && !e.volatile && e.key == "" && e.ns != nil && e.ns.rooms().Keep(e.rooms)
}

// kept is an event for rooms of which some keep it.
func (e *Emitter) kept(p *Prepared) *room.Emit[*Socket] {
	k := &room.Emit[*Socket]{Namespace: e.ns.name, Rooms: e.rooms, Also: e.named(), Text: &p.frame, Binary: p.binary, Except: slices.Clone(e.except)}
	if e.from != nil {
		k.From = e.from.id
	}
	for _, name := range e.exceptRooms {
		for _, s := range e.ns.hub.Members(name) {
			k.Except = append(k.Except, s.id)
		}
	}
	return k
}

// deliver queues p for all, holding no lock but that of one receiver at a
// time, and then has them written: when the batch of the sender ends, or at
// once if there is none.
func (e Emitter) deliver(p *Prepared) error {
	if n := e.node(); n != nil {
		return e.send(n, p, e.packed(p))
	}
	e.flush(e.queue(p))
	return nil
}

// queue queues p for all of this node, and returns what is to be flushed.
func (e *Emitter) queue(p *Prepared) []loop.Flusher {
	members := e.members()
	flush := make([]loop.Flusher, 0, len(members))
	for _, r := range members {
		if e.leavesOut(r) {
			continue
		}
		if write, _ := r.conn.Broadcast(p.frameFor(r), e.manner()); write {
			flush = append(flush, &r.conn)
		}
	}
	return flush
}

func (e Emitter) flush(list []loop.Flusher) {
	switch {
	case len(list) == 0:
	case e.from != nil && e.from.conn.Hold(list):
	case e.from == nil && e.ns.loop.Batching():
		e.ns.loop.Flush(list...)
	default:
		for _, r := range list {
			r.Flush()
		}
	}
}

func (e *Emitter) manner() conn.Manner { return conn.Manner{Volatile: e.volatile, Key: e.key} }

// leavesOut reports whether a member is left out.
func (e *Emitter) leavesOut(s *Socket) bool {
	return s == e.from && !e.only || len(e.except) > 0 && slices.Contains(e.except, s.id)
}

// members lists who is meant, each once, those whom leavesOut finds among them. The
// list must not be changed.
func (e Emitter) members() []*Socket {
	list := e.included()
	if len(list) == 0 || len(e.exceptRooms) == 0 {
		return list
	}
	out := make(map[*Socket]bool)
	for _, name := range e.exceptRooms {
		for _, s := range e.ns.hub.Members(name) {
			out[s] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(list), func(s *Socket) bool { return out[s] })
}

func (e Emitter) included() []*Socket {
	switch {
	case e.only:
		return []*Socket{e.from}
	case e.ns == nil || e.ns.srv == nil:
		return nil
	case !e.some && e.every:
		return e.ns.srv.everyone()
	case !e.some:
		return e.ns.crowd.Members()
	case len(e.rooms) == 1 && len(e.ids)+len(e.users) == 0:
		return e.ns.hub.Members(e.rooms[0])
	}
	seen := make(map[*Socket]struct{})
	var all []*Socket
	add := func(s *Socket) {
		if _, ok := seen[s]; !ok {
			seen[s] = struct{}{}
			all = append(all, s)
		}
	}
	for _, name := range e.rooms {
		for _, s := range e.ns.hub.Members(name) {
			add(s)
		}
	}
	for _, s := range e.named() {
		add(s)
	}
	return all
}

// named lists the sockets that are meant by their ids, or their users.
func (e *Emitter) named() (list []*Socket) {
	if len(e.users) > 0 {
		list = e.ofUsers()
	}
	for _, id := range e.ids {
		if s := e.ns.srv.byKey(id); s != nil && (e.every || s.ns == e.ns) {
			list = append(list, s)
		}
	}
	return list
}

func (e *Emitter) ofUsers() []*Socket {
	all := e.ns.crowd.Members()
	if e.every {
		all = e.ns.srv.everyone()
	}
	return slices.DeleteFunc(slices.Clone(all), func(s *Socket) bool {
		user, _ := s.User()
		return user == "" || !slices.Contains(e.users, user)
	})
}

// Sockets lists the receivers that are on this node; [Cluster.Sockets] has all.
func (e Emitter) Sockets() []*Socket {
	return slices.DeleteFunc(slices.Clone(e.members()), e.leavesOut)
}

// Join puts every receiver into the rooms, as Socket.Join does. A receiver that ends
// meanwhile is no error; ErrRoomName is returned before anybody has joined, ErrRoomLimit
// after all those have that could, and ErrBrokerDown or ErrTooLarge if those of other nodes
// do not.
func (e Emitter) Join(rooms ...string) error {
	for _, room := range rooms {
		if err := checkRoom(room); err != nil {
			return err
		}
	}
	failed := e.order(func(p *cluster.Parcel) { p.Kind, p.Rooms = cluster.Join, rooms })
	defer e.ns.await(context.Background(), rooms...)
	return cmp.Or(e.join(rooms), failed)
}

func (e Emitter) join(rooms []string) (failed error) {
	for _, s := range e.Sockets() {
		for _, room := range rooms {
			if err := s.joinSoon(room); err != nil && !errors.Is(err, ErrClosed) {
				failed = err
			}
		}
	}
	return failed
}

// Leave takes every receiver out of the rooms.
func (e Emitter) Leave(rooms ...string) {
	e.order(func(p *cluster.Parcel) { p.Kind, p.Rooms = cluster.Leave, rooms })
	e.leave(rooms)
}

func (e Emitter) leave(rooms []string) {
	for _, s := range e.Sockets() {
		for _, room := range rooms {
			s.Leave(room)
		}
	}
}

// Close closes every receiver, as Socket.Close does. Its error is that of a code that
// must not be sent, or ErrBrokerDown or ErrTooLarge if those of other nodes are not closed.
func (e Emitter) Close(code StatusCode, reason string) error {
	failed := e.order(func(p *cluster.Parcel) { p.Kind, p.Code, p.Reason = cluster.Close, uint16(code), reason })
	return cmp.Or(e.close(code, reason), failed)
}

func (e Emitter) close(code StatusCode, reason string) error {
	for _, s := range e.Sockets() {
		if err := s.Close(code, reason); err != nil {
			return err
		}
	}
	return nil
}

// To sends to everyone in a room of the socket's namespace but the socket itself.
func (s *Socket) To(room string) Emitter { return s.Others().To(room) }

// Others sends to everyone in the socket's namespace but the socket itself.
func (s *Socket) Others() Emitter { return Emitter{ns: s.ns, from: s} }

// Volatile sends to the socket alone, and lets the message be dropped if the peer is
// slow; see Emitter.Volatile. With To it is s.To(room).Volatile().
func (s *Socket) Volatile() Emitter { return Emitter{ns: s.ns, from: s, only: true, volatile: true} }

// Coalesce sends to the socket alone, and lets a newer message take the place of this
// one while the peer is slow; see Emitter.Coalesce. With To it is
// s.To(room).Coalesce(key).
func (s *Socket) Coalesce(key string) Emitter {
	return Emitter{ns: s.ns, from: s, only: true, key: key}
}

// Broadcast sends to everyone in the rooms of the socket's namespace, or to everyone in
// it if none is given, but not to the socket itself.
func (s *Socket) Broadcast(v any, rooms ...string) error {
	return s.Others().toRooms(rooms).Send(v)
}

// To sends to everyone in a room of the default namespace.
func (srv *Server) To(room string) Emitter { return srv.main.To(room) }

// All sends to everyone, in all namespaces. With To it is srv.To(room); with ToID it
// is to a socket in whatever namespace.
func (srv *Server) All() Emitter { return Emitter{ns: srv.main, every: true} }

// Broadcast sends to everyone in the rooms of the default namespace, or to everyone in
// all namespaces if none is given.
func (srv *Server) Broadcast(v any, rooms ...string) error {
	return srv.All().toRooms(rooms).Send(v)
}
