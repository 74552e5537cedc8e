package websocket

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"slices"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/broker"
	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/room"
	"github.com/nextrush/nextrush/websocket/internal/roster"
)

// local is the sockets of a node.
type local struct{ srv *Server }

func (l local) Sockets() int64 { return int64(len(l.srv.everyone())) }

// Take does what other nodes ask. What it sends leaves when all is queued.
func (l local) Take(list []cluster.Parcel) {
	var flush []loop.Flusher
	for i := range list {
		p := &list[i]
		e := l.receivers(p)
		switch p.Kind {
		case cluster.Message:
			if p.At != (broker.Position{}) {
				flush = append(flush, l.srv.told.Arrive(keyOf(p), arrival(p))...)
				continue
			}
			flush = append(flush, e.queue(unpack(p))...)
		case cluster.Join:
			e.join(p.Rooms)
		case cluster.Leave:
			e.leave(p.Rooms)
		case cluster.Close:
			e.close(StatusCode(p.Code), p.Reason)
		case cluster.Moved:
			l.letGo(p)
		case cluster.Presence:
			l.srv.told.Hear(keyOf(p), p.From, p.Going, p.Data)
		}
	}
	for _, f := range flush {
		f.Flush()
	}
}

// receivers are the sockets of this node that a parcel is about.
func (l local) receivers(p *cluster.Parcel) Emitter {
	e := Emitter{every: p.Every, ids: p.IDs, users: p.Users, except: p.Except, exceptRooms: p.ExceptRooms, volatile: p.Volatile, key: p.Key}
	e.ns = l.srv.main
	if p.Namespace != "" {
		e.ns = l.srv.spaces.Get(p.Namespace)
	}
	if e.rooms = p.Targets; p.Room != "" {
		e.rooms = []string{p.Room}
	}
	e.some = len(e.rooms)+len(e.ids)+len(e.users) > 0
	return e
}

func keyOf(p *cluster.Parcel) history.Key { return history.Key{Namespace: p.Namespace, Room: p.Room} }

func arrival(p *cluster.Parcel) *room.Arrival {
	return &room.Arrival{At: history.Position(p.At), Text: p.Text, Bytes: p.Bytes, Except: p.Except, ExceptRooms: p.ExceptRooms, Before: p.Before, Mid: p.Mid, Source: source{p.Came}}
}

// source is an envelope of a room that is kept.
type source struct{ *broker.Envelope }

func (s source) Origin() (node [16]byte, number uint64) { return s.From, s.Seq }

// Lost has the rooms that keep what is sent look whether they have all.
func (l local) Lost(ctx context.Context, _ []cluster.RoomName) {
	l.srv.checks.Do(func() { l.srv.told.Check(ctx) })
}

// Tails yields what the rooms that keep it have got last.
func (l local) Tails(yield func(cluster.RoomName, broker.Position, []*broker.Envelope) bool) {
	l.srv.told.Tails(func(key history.Key, at history.Position, sources []room.Source) bool {
		came := make([]*broker.Envelope, len(sources))
		for i, s := range sources {
			came[i] = s.(source).Envelope
		}
		return yield(cluster.RoomName(key), broker.Position(at), came)
	})
}

// Missed has the rooms compare with other nodes who is there.
func (l local) Missed(rooms []cluster.RoomName) {
	if rooms == nil {
		l.srv.told.CompareAll()
	}
	for _, name := range rooms {
		l.srv.told.Compare(history.Key(name))
	}
}

// Gone takes away who was there at a node.
func (l local) Gone(id broker.NodeID, goodbye bool) { l.srv.told.Forget(id, goodbye) }

// Watched has the rooms read what they keep, and know who is there.
func (l local) Watched(ctx context.Context, rooms []cluster.RoomName) {
	var shown []cluster.RoomName
	for _, name := range rooms {
		opts := l.srv.told.Of(name.Room)
		if opts.Shows() {
			l.srv.told.Compare(history.Key(name))
			shown = append(shown, name)
		}
		if opts.Keeps() {
			go l.srv.told.Ready(ctx, history.Key(name))
		}
	}
	if len(shown) > 0 {
		l.srv.node.Go(func(ctx context.Context) { l.meet(ctx, shown) })
	}
}

// meetAnswer says in which of the rooms a node has somebody.
type meetAnswer struct {
	Node  broker.NodeID `json:"node"`
	Rooms []int         `json:"rooms"`
}

// meet has rooms know which other nodes have somebody there.
func (l local) meet(ctx context.Context, rooms []cluster.RoomName) {
	l.srv.node.Acquaint(ctx)
	ctx, cancel := context.WithTimeout(ctx, patience2s)
	defer cancel()
	asking := l.srv.node.Ask(&cluster.Parcel{Op: opMeet, Data: asJSON(rooms)})
	defer asking.Close()
	there := make([][][16]byte, len(rooms))
	for {
		data, ok := asking.Next(ctx)
		if !ok {
			break
		}
		var a meetAnswer
		if json.Unmarshal(data, &a) != nil {
			continue
		}
		for _, i := range a.Rooms {
			if i >= 0 && i < len(rooms) {
				there[i] = append(there[i], a.Node)
			}
		}
	}
	for i, name := range rooms {
		l.srv.told.Meet(history.Key(name), there[i])
	}
}

// shows finds in which of the rooms this node has somebody.
func (l local) shows(data []byte) meetAnswer {
	var rooms []cluster.RoomName
	json.Unmarshal(data, &rooms) // of a newer node: none
	var a meetAnswer
	for i, name := range rooms {
		if len(l.srv.told.Own(history.Key(name))) > 0 {
			a.Rooms = append(a.Rooms, i)
		}
	}
	if a.Rooms != nil { // else the node may not have begun
		a.Node = l.srv.node.ID()
	}
	return a
}

// What nodes ask of each other.
const (
	opClose   = "close"
	opJoin    = "join"
	opLeave   = "leave"
	opCount   = "count"
	opList    = "list"
	opAsk     = "ask"
	opPresent = "present"
	opMeet    = "meet"
)

// Answer carries out what another node, or this one, asks.
func (l local) Answer(ctx context.Context, call *cluster.Parcel, answer func([]byte) error) {
	e := l.receivers(call)
	switch call.Op {
	case opAsk:
		e.answerAsk(ctx, call.Data, answer)
		return
	case opCount:
		answerCount(e.Sockets(), answer)
		return
	case opList:
		l.answerList(e.Sockets(), call.Data, answer)
		return
	case opMeet:
		answer(asJSON(l.shows(call.Data)))
		return
	case opPresent:
		for _, room := range e.rooms {
			answerPresent(l.srv.told.Own(history.Key{Namespace: call.Namespace, Room: room}), answer)
		}
		return
	}
	meant := len(e.Sockets())
	switch call.Op {
	case opClose:
		e.close(StatusCode(call.Code), call.Reason)
	case opJoin:
		e.join(call.Rooms)
		e.ns.await(ctx, call.Rooms...)
	case opLeave:
		e.leave(call.Rooms)
	default: // of a newer node
		return
	}
	answer(asJSON(meant))
}

func asJSON(v any) []byte {
	data, _ := json.Marshal(v) // of numbers and strings
	return data
}

// What is long is answered in parts of about so many bytes: brokers take no message of any
// size.
const answerSize = 64 << 10

type countAnswer struct {
	Sockets int      `json:"sockets"`
	Users   []uint64 `json:"users"` // hashes of them
}

func answerCount(sockets []*Socket, answer func([]byte) error) {
	c := tallied(sockets)
	for users := range slices.Chunk(c.Users, answerSize/len("18446744073709551615,")) {
		answer(asJSON(countAnswer{c.Sockets, users}))
		c.Sockets = 0
	}
}

func tallied(sockets []*Socket) countAnswer {
	c := countAnswer{Sockets: len(sockets)}
	for _, s := range sockets {
		name := s.ID()
		if id, _ := s.User(); id != "" {
			name = id
		}
		h := fnv.New64a()
		h.Write([]byte(name))
		c.Users = append(c.Users, h.Sum64())
	}
	slices.Sort(c.Users)
	c.Users = slices.Compact(c.Users)
	return c
}

func (l local) answerList(sockets []*Socket, limit []byte, answer func([]byte) error) {
	var most int
	json.Unmarshal(limit, &most)
	node := ""
	if l.srv.node != nil {
		node = l.srv.node.ID().String()
	}
	var part []json.RawMessage
	size := 0
	for _, s := range sockets[:min(len(sockets), max(most, 0))] {
		user, _ := s.User()
		info := asJSON(SocketInfo{s.ID(), node, user, s.ip, s.Rooms(), s.ConnectedAt()})
		if size += len(info); size > answerSize && part != nil {
			answer(asJSON(part))
			part, size = nil, len(info)
		}
		part = append(part, info)
	}
	if part != nil {
		answer(asJSON(part))
	}
}

func answerPresent(own map[string]roster.Entry, answer func([]byte) error) {
	part, size := make(map[string]roster.Entry), 0
	for user, e := range own {
		if size += len(user) + len(e.Data) + 64; size > answerSize && len(part) > 0 {
			answer(asJSON(part))
			clear(part)
			size = len(user) + len(e.Data) + 64
		}
		part[user] = e
	}
	answer(asJSON(part))
}
