package websocket

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// pending is what a socket waits for that knows positions, guarded by the socket's mu.
type pending struct {
	joins  []pendingJoin       // from before the 101
	claims map[string]history.Position // of rooms that it is not in yet
	was    [16]byte            // who the client says that it was
}

type pendingJoin struct {
	room  string
	since *claim
}

// JoinFrom is Join for somebody who has missed what came to the room after a position.
// What is still kept of that is sent at once, before what comes next; recovered tells
// that this is all of it. Otherwise nothing of it is sent, and clients of nextrush.v1 are
// told so, who then load their state anew. A client of nextrush.v1 that has told what it
// has is sent what came after that instead. Before the 101 recovered is false: it is not
// known yet, and a socket without the subprotocol gets nothing. The errors are those of
// Join, and ctx's.
func (s *Socket) JoinFrom(ctx context.Context, room string, since Position) (recovered bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	opts := s.ns.kind(room)
	if checkRoom(room) != nil || !opts.keeps() || !s.speaks && s.State() == StateConnecting {
		return false, s.Join(room)
	}
	return s.joinTold(room, opts, &claim{at: history.Position(since)})
}

// claim is what somebody has of a room.
type claim struct {
	at    history.Position
	asked bool // by the client, who may not read all
}

// joinTold is Join for a room of which clients are told, or one with history.
func (s *Socket) joinTold(room string, opts *RoomOptions, since *claim) (recovered bool, err error) {
	if s.speaks {
		s.conn.KeepWhole()
		if noted, err := s.session().note(room, since); noted || err != nil {
			return false, err
		}
	}
	defer s.conn.Flush()
	if recovered, err = s.enterTold(room, opts, since); err == nil {
		s.showIn(room)
	}
	return recovered, err
}

// note keeps a join for after the 101, when there can be an order of events.
func (v *session) note(room string, since *claim) (noted bool, err error) {
	s := (*Socket)(v.owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.presence != joining {
		return false, nil
	}
	p := v.needPending()
	if i := slices.IndexFunc(p.joins, func(j pendingJoin) bool { return j.room == room }); i >= 0 {
		p.joins[i].since = cmp.Or(since, p.joins[i].since)
		return true, nil
	}
	if len(p.joins)+len(s.rooms.Names()) >= s.ns.opts.MaxRoomsPerSocket {
		return false, fmt.Errorf("%w: a socket may be in %d", ErrRoomLimit, s.ns.opts.MaxRoomsPerSocket)
	}
	p.joins = append(p.joins, pendingJoin{room, since})
	return true, nil
}

// notedLocked reports whether a room waits for the 101.
func (v *session) notedLocked(room string) bool {
	return v.pending != nil && slices.ContainsFunc(v.pending.joins, func(j pendingJoin) bool { return j.room == room })
}

// appendNotedLocked appends the rooms that wait for the 101.
func (v *session) appendNotedLocked(names []string) []string {
	if v.pending != nil {
		for _, j := range v.pending.joins {
			names = append(names, j.room)
		}
	}
	return names
}

func (v *session) needPending() *pending {
	if v.pending == nil {
		v.pending = new(pending)
	}
	return v.pending
}

// joinNoted has the joins from before the 101 take effect of which somebody is told.
func (s *Socket) joinNoted() {
	if s.ns.srv.kept == nil {
		return
	}
	s.show(s.Rooms())
	if v := s.session(); v != nil {
		for _, j := range v.takeJoins() {
			s.joinTold(j.room, s.ns.kind(j.room), j.since)
		}
	}
}

func (v *session) takeJoins() (joins []pendingJoin) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pending != nil {
		joins, v.pending.joins = v.pending.joins, nil
	}
	return joins
}

// enterTold joins a room in the order of its events: what came before is told by the
// position, or replayed; what comes after is delivered.
func (s *Socket) enterTold(room string, opts *RoomOptions, since *claim) (recovered bool, err error) {
	r := s.ns.lock(room, opts)
	defer r.Unlock()
	fresh, err := s.enter(room)
	if err != nil {
		return false, err
	}
	m := s.missed(r, room, opts, since)
	if s.speaks && (fresh || m.recovered && !m.since.asked) {
		s.tell(protocol.Joined(room, m.start(r, opts)))
	}
	s.catchUp(r, room, m)
	return m.recovered, nil
}

// tell queues a message of the protocol. The caller flushes.
func (s *Socket) tell(text []byte) {
	f := new(conn.Frame)
	f.Set(wire.OpText, text)
	s.conn.Broadcast(f, conn.Manner{})
}

// enter joins, and reports whether the socket was not there yet.
func (s *Socket) enter(room string) (fresh bool, err error) {
	s.mu.Lock()
	fresh = !s.rooms.Has(room)
	s.mu.Unlock()
	return fresh, s.join(room)
}

// claimed takes what the client has said that it has of a room, and who it was.
func (v *session) claimed(room string) (since *claim, was [16]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pending == nil {
		return nil, was
	}
	if at, ok := v.pending.claims[room]; ok {
		delete(v.pending.claims, room)
		since = &claim{at, true}
	}
	return since, v.pending.was
}

// missed is what came to a room after a position.
type missed struct {
	since     *claim // nil: nobody asks
	recovered bool   // it may be read, all of it is there, and it is not too much
	events    []*kept
	was       [16]byte // who the client says that it was
}

// missed finds what came after the position that the client has told, or else after since.
// The room is locked.
func (s *Socket) missed(r *history.Room[kept], room string, opts *RoomOptions, since *claim) (m missed) {
	m.since = since
	if s.speaks {
		var told *claim
		told, m.was = s.session().claimed(room)
		m.since = told.instead(since)
	}
	if m.since == nil || !opts.keeps() {
		return missed{}
	}
	events, bytes, ok := r.Since(m.since.at, s.ns.loop.Now())
	if m.since.asked && opts.History.Private {
		ok = ok && len(events) == 0
	}
	if m.recovered = ok && len(events) <= maxReplay && bytes <= s.ns.opts.SendQueue/2; m.recovered {
		m.events = events
	}
	return m
}

// instead is what a client has told, if it has, and otherwise what the program says that
// it has. Who may read what came after the one may read what came after the other, if that
// is not before it.
func (c *claim) instead(since *claim) *claim {
	if c == nil || since == nil {
		return cmp.Or(c, since)
	}
	before := c.at.Epoch != since.at.Epoch || c.at.Offset < since.at.Offset
	return &claim{c.at, since.asked || before}
}

// start is the position of a client that has joined: it gets what comes after it. nil: the
// room has no history.
func (m *missed) start(r *history.Room[kept], opts *RoomOptions) *history.Position {
	at := r.Position()
	switch {
	case !opts.keeps():
		return nil
	case m.recovered:
		at = m.since.at
	}
	return &at
}

// catchUp replays what was missed. The room is locked.
func (s *Socket) catchUp(r *history.Room[kept], room string, m missed) {
	if m.since == nil {
		return
	}
	for _, e := range m.events {
		if !e.leftOut(s.id) && !e.leftOut(m.was) {
			s.replay(e)
		}
	}
	if s.speaks {
		s.tell(protocol.Synced(room, m.recovered, r.Position()))
	}
}

func (s *Socket) replay(e *kept) {
	f := e.plain
	if s.speaks {
		f = e.replay()
	}
	s.conn.Broadcast(f, conn.Manner{})
}

// leaveTold is Leave for a room of which clients are told.
func (s *Socket) leaveTold(room string, opts *RoomOptions) {
	s.session().unnote(room)
	defer s.conn.Flush()
	r := s.ns.lock(room, opts)
	defer r.Unlock()
	s.mu.Lock()
	was := s.rooms.Has(room) && s.presence == present
	s.ns.hub.Leave(&s.rooms, room)
	s.mu.Unlock()
	if was {
		s.tell(protocol.Left(room))
	}
}

// unnote forgets a join from before the 101.
func (v *session) unnote(room string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.pending != nil {
		v.pending.joins = slices.DeleteFunc(v.pending.joins, func(j pendingJoin) bool { return j.room == room })
	}
}

// sync replays what a client has missed that was connected before, or notes it for the
// time when it is in the room.
func (v *session) sync(m *protocol.Message) {
	s := (*Socket)(v.owner)
	v.wasNoted(m.Was)
	for room, at := range m.Rooms {
		opts := s.ns.kind(room)
		switch {
		case !opts.keeps() || checkRoom(room) != nil:
			s.tell(protocol.Forgotten(room))
		case !v.claims(room, at):
			s.sync(room, opts, &claim{at, true})
		}
	}
	s.conn.Flush()
}

// sync replays for a client that is in a room, unless it has just been taken out.
func (s *Socket) sync(room string, opts *RoomOptions, since *claim) {
	r := s.ns.lock(room, opts)
	defer r.Unlock()
	if _, in := s.isIn(room); in {
		s.catchUp(r, room, s.missed(r, room, opts, since))
	}
}

func (v *session) wasNoted(id string) {
	was, ok := parseID(id)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.needPending().was = was
}

// claims keeps a position of a room that the socket is not in, for when it joins.
func (v *session) claims(room string, since history.Position) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rooms.Has(room) {
		return false
	}
	p := v.needPending()
	if p.claims == nil {
		p.claims = make(map[string]history.Position)
	}
	if len(p.claims) < (*Socket)(v.owner).ns.opts.MaxRoomsPerSocket {
		p.claims[room] = since
	}
	return true
}

// joinAsked is a join that the client asks for, where it may.
func (v *session) joinAsked(ask asked, m *protocol.Message) {
	s := ask.s
	opts := s.ns.kind(m.Room)
	if !opts.joinable() {
		ask.refuse(&EventError{Message: "not allowed"})
		return
	}
	s.protect(func() {
		err := opts.Join(s, m.Room)
		if err == nil {
			var recovered bool
			if recovered, err = v.joinFor(m, opts); err == nil {
				ask.ack(recoveredIf(m.Since != nil, recovered))
				return
			}
		}
		if !s.closedBy(err) {
			ask.refuse(err)
		}
	})
}

func (v *session) joinFor(m *protocol.Message, opts *RoomOptions) (recovered bool, err error) {
	s := (*Socket)(v.owner)
	switch err = checkRoom(m.Room); {
	case err != nil:
		return false, &EventError{Message: "no such room"}
	case m.Since == nil || !opts.keeps():
		err = s.Join(m.Room)
	default:
		recovered, err = s.joinTold(m.Room, opts, &claim{*m.Since, true})
	}
	if errors.Is(err, ErrRoomLimit) {
		err = &EventError{Message: "too many rooms"}
	}
	return recovered, err
}

func recoveredIf(asked, recovered bool) any {
	var answer struct {
		Recovered *bool `json:"recovered,omitempty"`
	}
	if asked {
		answer.Recovered = &recovered
	}
	return answer
}

// leaveAsked is a leave that the client asks for, where it may.
func (v *session) leaveAsked(ask asked, m *protocol.Message) {
	if !ask.s.ns.kind(m.Room).joinable() {
		ask.refuse(&EventError{Message: "not allowed"})
		return
	}
	ask.s.Leave(m.Room)
	ask.ack(json.RawMessage("{}"))
}
