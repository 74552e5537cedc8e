package room

import (
	"bytes"
	"slices"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// event is an event in the history of a room. What was compressed of its frames when they
// were sent is not kept.
type event struct {
	frame    *conn.Frame // as it was sent to members that know positions
	replayed bool        // frame says that it is a replay
	plain    *conn.Frame // as others got it
	from     [16]byte    // who did not get it; zero: nobody
	except   [][16]byte  // in order
	source   Source      // of Arrival; nil: it is this node's alone
}

// Size is what the event takes in a ring.
func (e *event) Size() int {
	n := e.frame.Size() + e.plain.Size() + len(e.except)*len(e.from) + eventCost
	if e.source != nil {
		n += sourceCost
	}
	return n
}

// eventCost is about what an event takes in a ring besides its frames.
const (
	eventCost  = 200
	sourceCost = 160 // besides the bytes, which are those of a frame
)

// leftOut reports whether somebody was not to get the event.
func (e *event) leftOut(id [16]byte) bool {
	if id == [16]byte{} {
		return false
	}
	_, excepted := slices.BinarySearchFunc(e.except, id, compareIDs)
	return excepted || e.from == id
}

// Shed drops what was compressed of the event.
func (e *event) Shed() { e.frame, e.plain = e.frame.Twin(), e.plain.Twin() }

func compareIDs(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) }

const replayMark = `,"replayed":true`

// replay is the frame for those who have missed the event. It takes the place of the
// other in the ring: either is made once.
func (e *event) replay() *conn.Frame {
	if !e.replayed {
		e.frame, e.replayed = extended(e.frame, replayMark), true
	}
	return e.frame
}

// extended is an event with more members.
func extended(f *conn.Frame, more string) *conn.Frame {
	longer := new(conn.Frame)
	longer.Set(f.Op(), protocol.Extend(f.Op() == wire.OpBinary, f.Payload(), more))
	return longer
}

// Emit is an event to several rooms of a namespace, and to others.
type Emit[S comparable] struct {
	Namespace string
	Rooms     []string
	Also      []S
	Text      *conn.Frame
	Binary    *conn.Frame // for peers that take bytes; nil: there is none
	From      [16]byte    // who does not get it; zero: nobody
	Except    [][16]byte  // which is sorted
}

// Keep reports whether some of the rooms keep events.
func (rs *Rooms[S]) Keep(rooms []string) bool {
	return rs.Tells() && slices.ContainsFunc(rooms, func(room string) bool { return rs.Of(room).Keeps() })
}

// emitting is an event on its way to rooms of which some keep it.
type emitting[S comparable] struct {
	*Emit[S]
	rs     *Rooms[S]
	mid    string         // that the frames of several rooms have in common; empty: one room
	source Source         // of Arrival; nil: it is this node's
	seen   map[S]struct{} // who has got it; nil: nobody gets it from elsewhere
	flush  []loop.Flusher
}

// Emit sends an event to each of the rooms: those that keep it add their position. It
// returns what is to be flushed.
func (rs *Rooms[S]) Emit(e *Emit[S]) (flush []loop.Flusher) {
	slices.SortFunc(e.Except, compareIDs)
	k := &emitting[S]{Emit: e, rs: rs}
	rooms := slices.Compact(slices.Sorted(slices.Values(e.Rooms)))
	if len(rooms) > 1 {
		k.mid = rs.NextMid()
	}
	if len(rooms)+len(e.Also) > 1 {
		k.seen = make(map[S]struct{})
	}
	for _, room := range rooms {
		if opts := rs.Of(room); opts.Keeps() {
			k.toKept(k.key(room), opts)
		}
	}
	for _, room := range rooms {
		if !rs.Of(room).Keeps() {
			k.toPlain(rs.sockets.Members(k.key(room)))
		}
	}
	k.toPlain(e.Also)
	return k.flush
}

func (k *emitting[S]) key(room string) history.Key {
	return history.Key{Namespace: k.Namespace, Room: room}
}

// toKept adds the event to a room, and queues it for the members. All get it, and what
// comes after it, in the order of the room.
func (k *emitting[S]) toKept(key history.Key, opts *Options[S]) {
	r := k.rs.lock(key, opts)
	defer r.Unlock()
	k.keep(r, key, k.rs.sockets.Members(key))
}

// keep adds the event to a room that is locked, and queues it for members.
func (k *emitting[S]) keep(r *locked, key history.Key, members []S) {
	frame := k.located(key.Room, r.Position().Offset+1)
	e := &event{frame: frame.Twin(), plain: k.Text.Twin(), from: k.From, except: k.Except, source: k.source}
	r.Add(e, k.rs.cfg.Clock())
	var others []S
	for _, s := range members {
		switch {
		case !k.rs.sockets.Speaks(s):
			others = append(others, s)
		case !e.leftOut(k.rs.sockets.ID(s)):
			k.queue(s, frame)
		}
	}
	k.toPlain(others)
}

// located is the event with its place, in the form that those take who know places.
func (k *emitting[S]) located(room string, offset int64) *conn.Frame {
	more := protocol.Place(room, offset, k.mid)
	if f := k.Binary; f != nil && protocol.Extends(f.Payload(), len(more)) {
		return extended(f, more)
	}
	return extended(k.Text, more)
}

// toPlain queues the event without a place for those who have not got it.
func (k *emitting[S]) toPlain(members []S) {
	out := event{from: k.From, except: k.Except}
	for _, s := range members {
		if _, ok := k.seen[s]; ok || out.leftOut(k.rs.sockets.ID(s)) {
			continue
		}
		if k.Binary != nil && k.rs.sockets.Speaks(s) {
			k.queue(s, k.Binary)
		} else {
			k.queue(s, k.Text)
		}
	}
}

func (k *emitting[S]) queue(s S, f *conn.Frame) {
	if k.seen != nil {
		k.seen[s] = struct{}{}
	}
	c := k.rs.sockets.Conn(s)
	if write, _ := c.Broadcast(f, conn.Manner{}); write {
		k.flush = append(k.flush, c)
	}
}
