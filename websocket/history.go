package websocket

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// maxReplay is how many events are replayed at most: as many as a client holds back
// meanwhile. More than half of Options.SendQueue are not either.
const maxReplay = 1024

// kept is an event in the history of a room.
type kept struct {
	frame    *conn.Frame // as it was sent to members that know positions
	replayed bool        // frame says that it is a replay
	plain    *conn.Frame // as others got it
	from     [16]byte    // who did not get it; zero: nobody
	except   [][16]byte
}

// size is what the event takes in a ring.
func (k *kept) size() int { return len(k.frame.Payload()) + len(k.plain.Payload()) + keptCost }

// keptCost is about what an event takes in a ring besides its bytes.
const keptCost = 256

// leftOut reports whether somebody was not to get the event.
func (k *kept) leftOut(id [16]byte) bool {
	return id != [16]byte{} && (k.from == id || slices.Contains(k.except, id))
}

// replay is the frame for those who have missed the event. It takes the place of the
// other in the ring: either is made once.
func (k *kept) replay() *conn.Frame {
	if !k.replayed {
		k.frame, k.replayed = extended(k.frame, `,"replayed":true`), true
	}
	return k.frame
}

// extended is an event with more members.
func extended(f *conn.Frame, more string) *conn.Frame {
	longer := new(conn.Frame)
	longer.Set(f.Op(), protocol.Extend(f.Op() == wire.OpBinary, f.Payload(), more))
	return longer
}

func (srv *Server) initRooms() {
	if !srv.kinds.some((*RoomOptions).told) {
		return
	}
	srv.midPrefix = rand.Text()[:8] + "-"
	srv.kept = history.NewRooms[kept](srv.opts.RingBytes, time.Second*10, srv.loop.Now, srv.occupied)
}

// occupied reports whether somebody in a room knows positions.
func (srv *Server) occupied(key history.Key) bool {
	ns := srv.main
	if key.Namespace != "" {
		ns = srv.spaces.get(key.Namespace)
	}
	return ns != nil && slices.ContainsFunc(ns.hub.Members(key.Room), func(s *Socket) bool { return s.speaks })
}

// kind is the options of a room; nil: it has nothing besides its members.
func (ns *Namespace) kind(room string) *RoomOptions {
	if ns.srv == nil {
		return nil
	}
	return ns.srv.kinds.of(room)
}

// lock returns a room of that kind, to be unlocked.
func (ns *Namespace) lock(room string, opts *RoomOptions) *history.Room[kept] {
	return ns.srv.kept.Lock(history.Key{Namespace: ns.name, Room: room}, opts.limits())
}

// Position returns where the history of a room of the namespace is. Who loads state that
// the room's events change asks for it before, and hands it to the client with the state,
// which then gets what came after. A room without history has the zero Position. The
// error is ctx's.
func (ns *Namespace) Position(ctx context.Context, room string) (Position, error) {
	opts := ns.kind(room)
	if err := ctx.Err(); err != nil || !opts.keeps() {
		return Position{}, err
	}
	r := ns.lock(room, opts)
	defer r.Unlock()
	return Position(r.Position()), nil
}

// Position is [Namespace.Position] of the default namespace.
func (srv *Server) Position(ctx context.Context, room string) (Position, error) {
	return srv.main.Position(ctx, room)
}

// keeps reports whether an event is to be kept by a room.
func (e *Emitter) keeps() bool {
	if e.only || e.volatile || e.key != "" || e.ns == nil || e.ns.srv == nil || e.ns.srv.kept == nil {
		return false
	}
	return slices.ContainsFunc(e.rooms, func(room string) bool { return e.ns.kind(room).keeps() })
}

// keptEmit is an event on its way to rooms of which some keep it.
type keptEmit struct {
	Emitter
	event *Prepared
	mid   string               // that the frames of several rooms have in common; empty: one room
	seen  map[*Socket]struct{} // who has got it; nil: one room
	flush []loop.Flusher
}

// emitKept sends an event to each of the rooms: those that keep it add their position.
func (e Emitter) emitKept(p *Prepared) {
	k := &keptEmit{Emitter: e, event: p}
	rooms := slices.Compact(slices.Sorted(slices.Values(e.rooms)))
	if len(rooms) > 1 {
		k.mid = e.ns.srv.nextMid()
		k.seen = make(map[*Socket]struct{})
	}
	for _, room := range rooms {
		if opts := e.ns.kind(room); opts.keeps() {
			k.toKept(room, opts)
		}
	}
	for _, room := range rooms {
		if !e.ns.kind(room).keeps() {
			k.toPlain(e.ns.hub.Members(room))
		}
	}
	if len(k.flush) > 0 {
		e.flush(k.flush)
	}
}

// toKept adds the event to a room, and queues it for the members. All get it, and what
// comes after it, in the order of the room.
func (k *keptEmit) toKept(room string, opts *RoomOptions) {
	r := k.ns.lock(room, opts)
	defer r.Unlock()
	event := kept{frame: k.located(room, r.Position().Offset+1), plain: &k.event.frame, except: k.except}
	if k.from != nil {
		event.from = k.from.id
	}
	r.Add(event, event.size(), k.ns.loop.Now())
	var others []*Socket
	for _, s := range k.ns.hub.Members(room) {
		switch {
		case !s.speaks:
			others = append(others, s)
		case !k.leavesOut(s):
			k.queue(s, event.frame)
		}
	}
	k.toPlain(others)
}

// located is the event with its place, in the form that those take who know places.
func (k *keptEmit) located(room string, offset int64) *conn.Frame {
	more := protocol.Place(room, offset, k.mid)
	if f := k.event.binary; f != nil && protocol.Extends(f.Payload(), len(more)) {
		return extended(f, more)
	}
	return extended(&k.event.frame, more)
}

// toPlain queues the event without a place for those who have not got it.
func (k *keptEmit) toPlain(members []*Socket) {
	for _, s := range members {
		if _, ok := k.seen[s]; ok || k.leavesOut(s) {
			continue
		}
		k.queue(s, k.event.frameFor(s))
	}
}

func (k *keptEmit) queue(s *Socket, f *conn.Frame) {
	if k.seen != nil {
		k.seen[s] = struct{}{}
	}
	if write, _ := s.conn.Broadcast(f, conn.Manner{}); write {
		k.flush = append(k.flush, &s.conn)
	}
}

// nextMid names an event to several rooms, also beyond a restart.
func (srv *Server) nextMid() string {
	return srv.midPrefix + strconv.FormatUint(srv.mids.Add(1), 36)
}
