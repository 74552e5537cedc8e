package websocket

import (
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/hub"
	"github.com/nextrush/nextrush/websocket/internal/room"
)

// Join puts the socket into a room; being there already is not an error. Before
// the 101 the join is noted and takes effect on it. Errors: ErrRoomName,
// ErrRoomLimit, ErrClosed.
func (s *Socket) Join(name string) error {
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
