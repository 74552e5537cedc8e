package websocket

import (
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

const (
	roomShards  = 32
	maxRoomName = 256 // bytes
)

// hub holds the rooms of a server, in shards so that joins to different rooms
// do not wait for each other. No lock of it is held while anything is sent.
type hub struct {
	seed   maphash.Seed
	rooms  atomic.Int64
	all    crowd
	shards [roomShards]hubShard
}

type hubShard struct {
	mu    sync.Mutex // guards rooms and what is in them
	rooms map[string]*room
}

// room is a set of sockets. list is made when somebody sends to the room and
// kept until somebody joins or leaves; it is never changed.
type room struct {
	name    string
	members []*membership
	list    []*Socket
}

// membership is a socket's place in a room; at is guarded as the room is, next
// as the socket.
type membership struct {
	s    *Socket
	room *room
	at   int
	next *membership // of the same socket
}

// left is the place of a membership that has ended.
const left = -1

// crowd is every open socket.
type crowd struct {
	mu      sync.Mutex // guards the fields below and every Socket's place
	members []*Socket
	lent    bool // somebody has members: it is changed on a copy
}

func (c *crowd) add(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.place = int32(len(c.members))
	c.members = append(c.members, s) // beyond what was lent
}

func (c *crowd) remove(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lent {
		c.members, c.lent = slices.Clone(c.members), false
	}
	last := len(c.members) - 1
	moved := c.members[last]
	c.members[s.place], moved.place = moved, s.place
	c.members[last] = nil
	c.members = c.members[:last]
}

func (c *crowd) sockets() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lent = true
	return c.members
}

func (r *room) add(m *membership) {
	m.room, m.at = r, len(r.members)
	r.members = append(r.members, m)
	r.list = nil
}

func (r *room) remove(m *membership) {
	last := len(r.members) - 1
	moved := r.members[last]
	r.members[m.at], moved.at = moved, m.at
	r.members[last] = nil
	r.members = r.members[:last]
	r.list = nil
	m.at = left
}

func (r *room) sockets() []*Socket {
	if r.list == nil {
		r.list = make([]*Socket, len(r.members))
		for i, m := range r.members {
			r.list[i] = m.s
		}
	}
	return r.list
}

func (h *hub) init() {
	h.seed = maphash.MakeSeed()
	for i := range h.shards {
		h.shards[i].rooms = make(map[string]*room)
	}
}

func (h *hub) shard(name string) *hubShard {
	return &h.shards[maphash.String(h.seed, name)%roomShards]
}

// join adds m to the room, and reports false if that would be one room too many.
func (h *hub) join(name string, m *membership, limit int) bool {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.rooms[name]
	if r == nil {
		if n := h.rooms.Add(1); limit > 0 && n > int64(limit) {
			h.rooms.Add(-1)
			return false
		}
		r = &room{name: name}
		sh.rooms[name] = r
	}
	r.add(m)
	return true
}

// leave takes m out of its room, once.
func (h *hub) leave(m *membership) {
	sh := h.shard(m.room.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if m.at == left {
		return
	}
	m.room.remove(m)
	if len(m.room.members) == 0 {
		delete(sh.rooms, m.room.name)
		h.rooms.Add(-1)
	}
}

// sockets lists who is in a room; the list is shared and not to be changed.
func (h *hub) sockets(name string) []*Socket {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[name]; r != nil {
		return r.sockets()
	}
	return nil
}

func (h *hub) everyone() []*Socket {
	return h.all.sockets()
}

func (h *hub) names() []string {
	var names []string
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.Lock()
		for name := range sh.rooms {
			names = append(names, name)
		}
		sh.mu.Unlock()
	}
	return names
}

// Join puts the socket into a room; being there already is no error. Before
// the 101 the join is noted and takes effect on it. Errors: ErrRoomName,
// ErrRoomLimit, ErrClosed.
func (s *Socket) Join(name string) error {
	if name == "" || len(name) > maxRoomName {
		return fmt.Errorf("%w, not %d", ErrRoomName, len(name))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state >= StateClosing {
		return ErrClosed
	}
	at, n := s.membership(name)
	if *at != nil {
		return nil
	}
	if n >= s.srv.opts.MaxRoomsPerSocket {
		return fmt.Errorf("%w: a socket may be in %d", ErrRoomLimit, s.srv.opts.MaxRoomsPerSocket)
	}
	m := &membership{s: s, room: &room{name: name}}
	if s.state == StateOpen && !s.srv.hub.join(name, m, s.srv.opts.MaxRooms) {
		return fmt.Errorf("%w: there may be %d", ErrRoomLimit, s.srv.opts.MaxRooms)
	}
	*at = m
	return nil
}

// joinNoted makes the joins from before the 101 take effect; s.mu is held.
func (s *Socket) joinNoted() {
	for at := &s.rooms; *at != nil; {
		if m := *at; s.srv.hub.join(m.room.name, m, s.srv.opts.MaxRooms) {
			at = &m.next
		} else {
			*at = m.next
		}
	}
}

// membership finds where the one in that room is, or would come: after n others.
func (s *Socket) membership(name string) (at **membership, n int) {
	at = &s.rooms
	for *at != nil && (*at).room.name != name {
		at = &(*at).next
		n++
	}
	return at, n
}

// Leave takes the socket out of a room; not being there is not an error.
func (s *Socket) Leave(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, _ := s.membership(name)
	m := *at
	if m == nil {
		return
	}
	*at = m.next
	if s.state != StateConnecting {
		s.srv.hub.leave(m)
	}
}

// LeaveAll takes the socket out of all its rooms.
func (s *Socket) LeaveAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveHubLocked()
	s.rooms = nil
}

// leaveHubLocked takes the socket out of all rooms, and lets it know which these
// were.
func (s *Socket) leaveHubLocked() {
	if s.state == StateConnecting {
		return
	}
	for m := s.rooms; m != nil; m = m.next {
		s.srv.hub.leave(m)
	}
}

// Rooms lists the rooms that the socket is in, or was in when it ended.
func (s *Socket) Rooms() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	names := []string{}
	for m := s.rooms; m != nil; m = m.next {
		names = append(names, m.room.name)
	}
	return names
}
