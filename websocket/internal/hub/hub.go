// Package hub knows who is there, and who is in which room. It knows nothing of what
// is said there.
package hub

import (
	"errors"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"
)

// Errors of Join.
var (
	ErrRooms   = errors.New("hub: there are as many rooms as there may be")
	ErrEntries = errors.New("hub: the member is in as many rooms as it may be")
)

// Limits bound the rooms of some hubs together.
type Limits struct {
	MaxRooms   int // at once; 0: any number
	MaxEntries int // of one member
	rooms      atomic.Int64
}

// Rooms is how many rooms there are in the hubs together.
func (l *Limits) Rooms() int64 { return l.rooms.Load() }

// Hub holds rooms, in shards so that joins to different rooms do not wait for each
// other. Its methods are safe from any goroutine, and none of its locks is held after
// they have returned.
type Hub[M comparable] struct {
	// Changed is told when somebody is in a room, and when nobody is any more, in order. It
	// is called under a lock. nil: nobody wants to know.
	Changed func(name string, made bool)

	limits *Limits
	seed   maphash.Seed
	shards []shard[M]
}

type shard[M comparable] struct {
	mu    sync.Mutex          // guards rooms and what is in them
	rooms map[string]*room[M] // nil before the first
}

// room is a set of members. list is made when somebody asks for it and kept until
// somebody joins or leaves; it is never changed.
type room[M comparable] struct {
	name    string
	entries []*entry[M]
	list    []M
}

// Rooms are those of one member, in the order of joining. It is guarded by the
// member's lock, which its methods and those of Hub that take it need.
type Rooms[M comparable] struct{ first *entry[M] }

// entry is a member's place in a room. at is guarded as the room is, next as Rooms.
type entry[M comparable] struct {
	member M
	room   *room[M]
	at     int // noted: not in the room yet, or no longer
	next   *entry[M]
}

const noted = -1

// New makes a hub with as many shards, a power of two: 1 for few rooms.
func New[M comparable](limits *Limits, shards int) *Hub[M] {
	return &Hub[M]{limits: limits, seed: maphash.MakeSeed(), shards: make([]shard[M], shards)}
}

// Join puts m into a room, or, unless now, notes that for Enter. Being there already
// is not an error. Its errors are ErrRooms and ErrEntries.
func (h *Hub[M]) Join(r *Rooms[M], m M, name string, now bool) error {
	at, n := r.find(name)
	if *at != nil {
		return nil
	}
	if n >= h.limits.MaxEntries {
		return ErrEntries
	}
	e := &entry[M]{member: m, room: &room[M]{name: name}, at: noted}
	if now && !h.enter(e) {
		return ErrRooms
	}
	*at = e
	return nil
}

// Enter makes noted joins take effect, and forgets those that would make too many
// rooms.
func (h *Hub[M]) Enter(r *Rooms[M]) {
	for at := &r.first; *at != nil; {
		if e := *at; h.enter(e) {
			at = &e.next
		} else {
			*at = e.next
		}
	}
}

// Leave takes the member out of a room; not being there is not an error.
func (h *Hub[M]) Leave(r *Rooms[M], name string) {
	at, _ := r.find(name)
	if e := *at; e != nil {
		*at = e.next
		h.leave(e)
	}
}

// LeaveAll takes the member out of all its rooms. Names still lists them.
func (h *Hub[M]) LeaveAll(r *Rooms[M]) {
	for e := r.first; e != nil; e = e.next {
		h.leave(e)
	}
}

// Names lists the rooms.
func (r *Rooms[M]) Names() []string {
	names := []string{}
	for e := r.first; e != nil; e = e.next {
		names = append(names, e.room.name)
	}
	return names
}

// Has reports whether the member is in a room, or has noted it.
func (r *Rooms[M]) Has(name string) bool {
	at, _ := r.find(name)
	return *at != nil
}

// find finds where the entry of a room is, or would come: after n others.
func (r *Rooms[M]) find(name string) (at **entry[M], n int) {
	at = &r.first
	for *at != nil && (*at).room.name != name {
		at = &(*at).next
		n++
	}
	return at, n
}

// Members lists who is in a room. The list is shared and must not be changed.
func (h *Hub[M]) Members(name string) []M {
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if r := sh.rooms[name]; r != nil {
		return r.members()
	}
	return nil
}

// Names lists the rooms that have somebody in them.
func (h *Hub[M]) Names() (names []string) {
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

// Count is how many rooms there are.
func (h *Hub[M]) Count() (n int64) {
	for i := range h.shards {
		sh := &h.shards[i]
		sh.mu.Lock()
		n += int64(len(sh.rooms))
		sh.mu.Unlock()
	}
	return n
}

func (h *Hub[M]) shard(name string) *shard[M] {
	return &h.shards[maphash.String(h.seed, name)&uint64(len(h.shards)-1)]
}

// enter adds e to its room, and reports false if that would be one room too many.
func (h *Hub[M]) enter(e *entry[M]) bool {
	name := e.room.name
	sh := h.shard(name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	r := sh.rooms[name]
	if r == nil {
		if n := h.limits.rooms.Add(1); h.limits.MaxRooms > 0 && n > int64(h.limits.MaxRooms) {
			h.limits.rooms.Add(-1)
			return false
		}
		r = &room[M]{name: name}
		if sh.rooms == nil {
			sh.rooms = make(map[string]*room[M])
		}
		sh.rooms[name] = r
		h.changed(name, true)
	}
	r.add(e)
	return true
}

// leave takes e out of its room, once.
func (h *Hub[M]) leave(e *entry[M]) {
	sh := h.shard(e.room.name)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if e.at == noted {
		return
	}
	e.room.remove(e)
	if len(e.room.entries) == 0 {
		delete(sh.rooms, e.room.name)
		h.limits.rooms.Add(-1)
		h.changed(e.room.name, false)
	}
}

func (h *Hub[M]) changed(name string, made bool) {
	if h.Changed != nil {
		h.Changed(name, made)
	}
}

func (r *room[M]) add(e *entry[M]) {
	e.room, e.at = r, len(r.entries)
	r.entries = append(r.entries, e)
	r.list = nil
}

func (r *room[M]) remove(e *entry[M]) {
	last := len(r.entries) - 1
	moved := r.entries[last]
	r.entries[e.at], moved.at = moved, e.at
	r.entries[last] = nil
	r.entries = r.entries[:last]
	r.list = nil
	e.at = noted
}

func (r *room[M]) members() []M {
	if r.list == nil {
		r.list = make([]M, len(r.entries))
		for i, e := range r.entries {
			r.list[i] = e.member
		}
	}
	return slices.Clip(r.list)
}
