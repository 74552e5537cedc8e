package websocket

import (
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/websocket/internal/hub"
)

const maxRoomName = 256 // bytes

// Join puts the socket into a room; being there already is not an error. Before
// the 101 the join is noted and takes effect on it. Errors: ErrRoomName,
// ErrRoomLimit, ErrClosed.
func (s *Socket) Join(name string) error {
	if err := checkRoom(name); err != nil {
		return err
	}
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
	if name == "" || len(name) > maxRoomName {
		return fmt.Errorf("%w, not %d", ErrRoomName, len(name))
	}
	return nil
}

// Leave takes the socket out of a room; not being there is not an error.
func (s *Socket) Leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns.hub.Leave(&s.rooms, name)
}

// LeaveAll takes the socket out of all its rooms.
func (s *Socket) LeaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ns.hub.LeaveAll(&s.rooms)
	s.rooms = hub.Rooms[*Socket]{}
}

// Rooms lists the rooms that the socket is in, or was in when it ended.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rooms.Names()
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
