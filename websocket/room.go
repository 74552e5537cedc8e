package websocket

import (
	"context"
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/hub"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/room"
)

const maxSync = 1024 // rooms that a client may ask for at once, if it may not be in more

// Join puts the socket into a room; being there already is not an error. Before
// the 101 the join is noted and takes effect on it. Errors: ErrRoomName,
// ErrRoomLimit, ErrClosed.
//
// With a [Broker], the first join of a room on a node waits until what other nodes send
// there arrives, so that nothing is missed that is sent after Join: for at most a second, and
// not while the broker cannot be reached. Of a room with history the rest is read then.
func (s *Socket) Join(name string) error {
	err := s.joinSoon(name)
	if err == nil {
		s.ns.await(context.Background(), name)
	}
	return err
}

// joinSoon is Join without the wait for other nodes.
func (s *Socket) joinSoon(name string) error {
	if err := checkRoom(name); err != nil {
		return err
	}
	if s.told(name) {
		_, err := s.joinTold(name, nil)
		return err
	}
	err := s.join(name)
	if err == nil {
		s.showIn(name)
	}
	return err
}

// told reports whether the peer is told of being in a room.
func (s *Socket) told(room string) bool { return s.speaks && s.ns.rooms().Of(room).Told() }

func (s *Socket) join(name string) error {
	closing := s.State() >= StateClosing
	s.mu.Lock()
	defer s.mu.Unlock()
	if closing || s.presence == left {
		return ErrClosed
	}
	switch err := s.ns.hub.Join(&s.rooms, s, name, s.presence == present); {
	case errors.Is(err, hub.ErrEntries):
		return fmt.Errorf("%w: a socket may be in %d", ErrRoomLimit, s.ns.opts.MaxRoomsPerSocket)
	case err != nil:
		return fmt.Errorf("%w: there may be %d", ErrRoomLimit, s.ns.opts.MaxRooms)
	}
	return nil
}

func checkRoom(name string) error {
	if name == "" || len(name) > room.MaxName {
		return fmt.Errorf("%w, not %d", ErrRoomName, len(name))
	}
	return nil
}

// Leave takes the socket out of a room; not being there is not an error.
func (s *Socket) Leave(name string) {
	if !s.knows(name) { // a name that a peer has made up makes no room
		return
	}
	if s.told(name) {
		s.leaveTold(name)
	} else {
		s.leaveUntold(name)
	}
	s.showIn(name)
}

// knows reports whether the socket is in a room, was there when it ended, or has noted it.
func (s *Socket) knows(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rooms.Has(name) {
		return true
	}
	v := s.session()
	return v != nil && v.pending.Noted(name)
}

func (s *Socket) leaveUntold(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns.hub.Leave(&s.rooms, name)
}

// LeaveAll takes the socket out of all its rooms.
func (s *Socket) LeaveAll() {
	if s.ns.rooms().Tells() {
		for _, name := range s.Rooms() {
			s.Leave(name)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns.hub.LeaveAll(&s.rooms)
	s.rooms = hub.Rooms[*Socket]{}
}

// Rooms lists the rooms that the socket is in, or was in when it ended.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := s.rooms.Names()
	if v := s.session(); v != nil {
		names = v.pending.AppendNoted(names)
	}
	return names
}

// showIn has the presence of a room know whether the socket is there, and whose it is. It
// is called after that may have changed.
func (s *Socket) showIn(room string) { s.ns.rooms().Show(s, s.ns.key(room)) }

// show is showIn for all rooms.
func (s *Socket) show() {
	if s.ns.rooms().Tells() {
		for _, room := range s.Rooms() {
			s.showIn(room)
		}
	}
}

// entered makes the socket known to its server, and the joins from before the 101 take
// effect. It reports false if the server is shutting down.
func (s *Socket) entered() bool {
	if srv := s.ns.srv; srv != nil && !srv.register(s) {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.presence = present
	s.ns.hub.Enter(&s.rooms)
	return true
}

// joinTold is Join for a room of which clients are told, or one with history.
func (s *Socket) joinTold(name string, since *room.Claim) (recovered bool, err error) {
	by := room.Reader[*Socket]{Socket: s, Since: since}
	if v := s.session(); v != nil {
		s.conn.KeepWhole()
		if noted, err := v.note(name, since); noted || err != nil {
			return false, err
		}
		by.Told = func() (*room.Claim, [16]byte) { return v.claimed(name) }
	}
	defer s.watchKept(name)()
	defer s.conn.Flush()
	recovered, err = s.ns.rooms().Join(by, s.ns.key(name), func() (bool, error) { return s.enter(name) })
	if err == nil {
		s.showIn(name)
	}
	return recovered, err
}

// isLeft reports whether the socket has ended.
func (s *Socket) isLeft() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.presence == left
}

// enter joins, and reports whether the socket was not there yet.
func (s *Socket) enter(room string) (fresh bool, err error) {
	s.mu.Lock()
	fresh = !s.rooms.Has(room)
	s.mu.Unlock()
	return fresh, s.join(room)
}

// note keeps a join for after the 101, when there can be an order of events.
func (v *session) note(name string, since *room.Claim) (noted bool, err error) {
	s := (*Socket)(v.owner)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.presence != joining {
		return false, nil
	}
	most := s.ns.opts.MaxRoomsPerSocket
	if !v.needPending().Note(name, since, most-len(s.rooms.Names())) {
		return false, fmt.Errorf("%w: a socket may be in %d", ErrRoomLimit, most)
	}
	return true, nil
}

// joinNoted has the joins from before the 101 take effect of which somebody is told.
func (s *Socket) joinNoted() {
	if !s.ns.rooms().Tells() {
		return
	}
	s.show()
	if v := s.session(); v != nil {
		for _, j := range v.takeJoins() {
			s.joinTold(j.Room, j.Since)
		}
	}
}

func (v *session) takeJoins() []room.Noted {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pending.Take()
}

// claimed takes what the client has said that it has of a room, and who it was.
func (v *session) claimed(name string) (since *room.Claim, was [16]byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pending.Claimed(name), v.pending.Was()
}

// leaveTold is Leave for a room of which clients are told.
func (s *Socket) leaveTold(name string) {
	s.session().unnote(name)
	defer s.conn.Flush()
	s.ns.rooms().Leave(s, s.ns.key(name), func() (was bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		was = s.rooms.Has(name) && s.presence == present
		s.ns.hub.Leave(&s.rooms, name)
		return was
	})
}

// unnote forgets a join from before the 101.
func (v *session) unnote(name string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.pending.Forget(name)
}

// sync replays what a client has missed that was connected before, or notes it for the
// time when it is in the room.
func (v *session) sync(m *protocol.Message) {
	s := (*Socket)(v.owner)
	most := max(maxSync, s.ns.opts.MaxRoomsPerSocket)
	rooms, ok := m.Positions(most)
	if !ok {
		s.conn.Close(uint16(StatusPolicyViolation), fmt.Sprintf("sync of more than %d rooms", most))
		return
	}
	v.wasNoted(m.Was)
	for name, at := range rooms {
		v.syncRoom(name, at)
		s.conn.Flush()
	}
}

func (v *session) syncRoom(name string, at history.Position) {
	s := (*Socket)(v.owner)
	in, waits := false, false
	if s.ns.rooms().Of(name).Keeps() && checkRoom(name) == nil {
		in, waits = v.claims(name, at)
	}
	switch {
	case in:
		told := func() (*room.Claim, [16]byte) { return v.claimed(name) }
		s.ns.rooms().Sync(room.Reader[*Socket]{Socket: s, Since: &room.Claim{At: at, Asked: true}, Told: told}, s.ns.key(name))
	case !waits:
		room.Tell(&s.conn, protocol.Forgotten(name))
	}
}

func (v *session) wasNoted(id string) {
	was, ok := parseID(id)
	if !ok {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.needPending().Be(was)
}

// claims keeps a position of a room that the socket is not in, for when it joins, unless it
// waits for as many as it may be in.
func (v *session) claims(name string, at history.Position) (in, waits bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rooms.Has(name) {
		return true, false
	}
	return false, v.needPending().Claim(name, at, v.ns.opts.MaxRoomsPerSocket)
}

// joinAsked is a join that the client asks for, where it may.
func (v *session) joinAsked(ask asked, m *protocol.Message) {
	s := ask.s
	opts := s.ns.rooms().Of(m.Room)
	if !opts.Joinable() {
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

func (v *session) joinFor(m *protocol.Message, opts *roomOptions) (recovered bool, err error) {
	s := (*Socket)(v.owner)
	switch err = checkRoom(m.Room); {
	case err != nil:
		return false, &EventError{Message: "no such room"}
	case m.Since == nil || !opts.Keeps():
		err = s.Join(m.Room)
	default:
		recovered, err = s.joinTold(m.Room, &room.Claim{At: *m.Since, Asked: true})
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
	if !ask.s.ns.rooms().Of(m.Room).Joinable() {
		ask.refuse(&EventError{Message: "not allowed"})
		return
	}
	ask.s.Leave(m.Room)
	ask.done(nil)
}
