package room

import (
	"cmp"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// maxReplay is how many events are replayed at most: as many as a client holds back
// meanwhile.
const maxReplay = 1024

// Claim is what somebody has of a room.
type Claim struct {
	At    history.Position
	Asked bool // by the client, who may not read all
}

// Reader is who reads a room.
type Reader[S comparable] struct {
	Socket S
	Since  *Claim // of the program; nil: nothing
	// Told takes what the client has said that it has of the room, and who it was. It is
	// called while the room is locked. nil: the client cannot say it.
	Told func() (since *Claim, was [16]byte)
}

// Join has somebody join by enter, which reports whether he was not there yet, in the order
// of the room's events: what came before is told by the position, or replayed; what comes
// after is delivered. recovered tells that all is replayed of what was asked for. The
// caller flushes.
func (rs *Rooms[S]) Join(by Reader[S], key history.Key, enter func() (fresh bool, err error)) (recovered bool, err error) {
	opts := rs.Of(key.Room)
	r := rs.lock(key, opts)
	defer r.Unlock()
	fresh, err := enter()
	if err != nil {
		return false, err
	}
	if fresh {
		r.Before = nil // what the others have got, he has not
	}
	m := rs.missed(r, opts, by)
	if rs.sockets.Speaks(by.Socket) && (fresh || m.recovered && !m.since.Asked) {
		rs.tell(by.Socket, protocol.Joined(key.Room, m.start(r, opts.Keeps()), m.unasked))
	}
	rs.catchUp(r, key.Room, by.Socket, m)
	return m.recovered && !m.gap, nil
}

// Sync replays for somebody who is in a room, unless he has just been taken out. The
// caller flushes.
func (rs *Rooms[S]) Sync(by Reader[S], key history.Key) {
	opts := rs.Of(key.Room)
	r := rs.lock(key, opts)
	defer r.Unlock()
	if _, in := rs.sockets.In(by.Socket, key.Room); in {
		rs.catchUp(r, key.Room, by.Socket, rs.missed(r, opts, by))
	}
}

// Leave has somebody leave by exit, which reports whether he was there. The caller
// flushes.
func (rs *Rooms[S]) Leave(s S, key history.Key, exit func() (was bool)) {
	r := rs.lock(key, rs.Of(key.Room))
	defer r.Unlock()
	if exit() {
		rs.tell(s, protocol.Left(key.Room))
	}
}

// missed is what came to a room after a position.
type missed struct {
	since     *Claim // nil: nobody asks
	unasked   bool   // by the client
	gap       bool   // the client's position cannot be served, and since is the program's
	recovered bool   // it may be read, all of it is there, and it is not too much
	events    []*event
	was       [16]byte // who the client says that it was
}

// missed finds what came after the position that the client has told, or else the program,
// which also counts if the client's cannot be served.
func (rs *Rooms[S]) missed(r *locked, opts *Options[S], by Reader[S]) (m missed) {
	var told *Claim
	m.since, m.unasked = by.Since, by.Since != nil && !by.Since.Asked
	if by.Told != nil {
		told, m.was = by.Told()
		m.since, m.unasked = told.instead(by.Since), m.unasked && told == nil
	}
	if m.since == nil || !opts.Keeps() {
		return missed{}
	}
	m.events, m.recovered = rs.after(m.since, r, opts, by.Socket)
	if told != nil && by.Since != nil && !m.recovered {
		m.since, m.gap = by.Since, true
		m.events, m.recovered = rs.after(m.since, r, opts, by.Socket)
	}
	return m
}

// after is what can be replayed of a room after a position; ok is false if that is not all.
func (rs *Rooms[S]) after(c *Claim, r *locked, opts *Options[S], s S) (events []*event, ok bool) {
	if rs.ahead(c, r) {
		return nil, true
	}
	events, ok = r.Since(c.At, rs.cfg.Clock())
	if c.Asked && opts.Private {
		ok = ok && len(events) == 0
	}
	if !ok || len(events) > maxReplay || bytesOf(events) > rs.cfg.Replay-rs.sockets.Conn(s).Queued() {
		return nil, false
	}
	return events, true
}

// ahead reports whether somebody has got from another node what this one has not got yet.
func (rs *Rooms[S]) ahead(c *Claim, r *locked) bool {
	at := r.Position()
	return rs.shared != nil && r.Common && c.At.Epoch == at.Epoch && c.At.Offset > at.Offset
}

// bytesOf is about how many bytes a replay of events takes in a queue.
func bytesOf(events []*event) (n int) {
	for _, e := range events {
		n += len(e.frame.Payload()) + len(replayMark) + wire.MaxHeaderSize
	}
	return n
}

// instead is what a client has told, if it has, and otherwise what the program says that
// it has. Who may read what came after the one may read what came after the other, if that
// is not before it.
func (c *Claim) instead(since *Claim) *Claim {
	if c == nil || since == nil {
		return cmp.Or(c, since)
	}
	before := c.At.Epoch != since.At.Epoch || c.At.Offset < since.At.Offset
	return &Claim{c.At, since.Asked || before}
}

// start is the position of a client that has joined: it gets what comes after it. nil: the
// room has no history.
func (m *missed) start(r *locked, keeps bool) *history.Position {
	at := r.Position()
	switch {
	case !keeps:
		return nil
	case m.recovered:
		at = m.since.At
	}
	return &at
}

// catchUp replays what was missed.
func (rs *Rooms[S]) catchUp(r *locked, room string, s S, m missed) {
	if m.since == nil {
		return
	}
	c, id, speaks := rs.sockets.Conn(s), rs.sockets.ID(s), rs.sockets.Speaks(s)
	if m.gap && m.recovered {
		rs.tell(s, protocol.Synced(room, false, m.since.At))
	}
	for _, e := range m.events {
		if !e.leftOut(id) && !e.leftOut(m.was) {
			e.replayTo(c, speaks)
		}
	}
	r.Grow(len(m.events))
	at := r.Position()
	if m.recovered && rs.ahead(m.since, r) {
		at = m.since.At
	}
	if speaks {
		rs.tell(s, protocol.Synced(room, m.recovered, at))
	}
}

func (e *event) replayTo(c *conn.Conn, speaks bool) {
	f := e.plain
	if speaks {
		f = e.replay()
	}
	c.Broadcast(f, conn.Manner{})
}
