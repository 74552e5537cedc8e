package history

import (
	"container/list"
	"sync"
	"time"
)

// Key names a room: those of one name in several namespaces are several.
type Key struct{ Namespace, Room string }

// Rooms has the rings of all rooms with history, within a bound on their bytes. Its
// methods are safe from any goroutine.
type Rooms[E Event] struct {
	max      int64 // bytes
	clock    func() int64
	period   time.Duration  // between two sweeps
	occupied func(Key) bool // somebody there knows positions; called under the room's lock

	mu    sync.Mutex // guards the fields below
	rooms map[Key]*Room[E]
	order list.List // of rooms: the one that was used last is at the back; names that are made up are at the front
	bytes int64
	timer *time.Timer // nil while there are no rooms
	over  bool
}

// Room is a room with history. Between Lock and Unlock its ring is the caller's: whoever
// delivers an event to the members does so there, so that all get them in one order.
type Room[E Event] struct {
	Ring[E]
	Beside any // the caller's; a room that has it is not dropped
	Weight int // bytes that Beside takes
	Mirror     // of a history that several nodes share

	key   Key
	rooms *Rooms[E]

	mu   sync.Mutex // guards the ring and the fields below
	used int64
	gone bool

	element *list.Element // guarded by rooms.mu, as counted is
	counted int64
}

// Mirror says how the ring of a room goes with the one that several nodes share.
type Mirror struct {
	Common bool     // it has positions of that
	Watch  uint64   // since which watch of the room nothing is missing; 0: none
	Ahead  Position // of what has come last although something before it has not

	// Before is the last number of each node in earlier epochs.
	Before map[[16]byte]uint64
}

// roomCost is about what a room takes besides its events and its name, in bytes.
const roomCost = 400

// cost is what the room takes.
func (r *Room[E]) cost() int64 { return r.least() + int64(r.bytes+r.grown+r.Weight) }

// least is what it takes without anything in it.
func (r *Room[E]) least() int64 { return int64(roomCost + len(r.key.Namespace) + len(r.key.Room)) }

// NewRooms makes the rings of a server. Rings that are empty and not occupied are dropped
// when they have not been used for their age.
func NewRooms[E Event](max int64, period time.Duration, clock func() int64, occupied func(Key) bool) *Rooms[E] {
	return &Rooms[E]{max: max, clock: clock, period: period, occupied: occupied, rooms: make(map[Key]*Room[E])}
}

// Lock returns a room, which is made if there is none, for the caller alone.
func (rs *Rooms[E]) Lock(key Key, limits Limits) *Room[E] {
	for {
		r := rs.room(key, limits)
		r.mu.Lock()
		if !r.gone {
			r.used = rs.clock()
			return r
		}
		r.mu.Unlock()
	}
}

func (rs *Rooms[E]) room(key Key, limits Limits) *Room[E] {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.rooms[key]
	if r == nil {
		r = &Room[E]{Ring: NewRing[E](limits), key: key, rooms: rs}
		r.element = rs.order.PushFront(r)
		rs.rooms[key] = r
		rs.countLocked(r, r.cost())
		if rs.timer == nil && !rs.over {
			rs.timer = time.AfterFunc(rs.period, rs.sweep)
		}
	}
	if r.counted > r.least() {
		rs.order.MoveToBack(r.element)
	}
	return r
}

// Unlock gives a room back, and drops what is too much for all rooms together, of those
// that were used least lately.
func (r *Room[E]) Unlock() {
	over := r.rooms.count(r, r.cost())
	r.mu.Unlock()
	for n := 0; over && n < maxRelief; n++ {
		over = r.rooms.relieve()
	}
}

// maxRelief is how many rooms one call looks at; the next goes on.
const maxRelief = 64

// count notes how many bytes a room takes, and reports whether all take too many.
func (rs *Rooms[E]) count(r *Room[E], bytes int64) (over bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.countLocked(r, bytes)
	return rs.bytes > rs.max
}

func (rs *Rooms[E]) countLocked(r *Room[E], bytes int64) {
	if rs.rooms[r.key] != r {
		return // forgotten
	}
	if r.counted <= r.least() && bytes > r.least() { // the first that is in it
		rs.order.MoveToBack(r.element)
	}
	rs.bytes += bytes - r.counted
	r.counted = bytes
}

// relieve drops what the events of a room have grown, or else the events, or a room without
// any that nobody is in, and reports whether there is still too much.
func (rs *Rooms[E]) relieve() (over bool) {
	r := rs.oldest()
	if r == nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.gone {
		return true
	}
	if r.bytes == 0 && r.Beside == nil && !rs.occupied(r.key) {
		r.gone = true
		rs.forget(r)
	}
	if !r.Shed() {
		r.Clear()
	}
	return rs.count(r, r.cost())
}

// oldest is the room that was used least lately, and is not any more.
func (rs *Rooms[E]) oldest() *Room[E] {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	e := rs.order.Front()
	if e == nil {
		return nil
	}
	rs.order.MoveToBack(e)
	return e.Value.(*Room[E])
}

// sweep drops what is too old, and rooms that nobody needs.
func (rs *Rooms[E]) sweep() {
	for _, r := range rs.all() {
		r.sweep()
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.timer = nil
	if len(rs.rooms) > 0 && !rs.over {
		rs.timer = time.AfterFunc(rs.period, rs.sweep)
	}
}

func (rs *Rooms[E]) all() []*Room[E] {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	all := make([]*Room[E], 0, len(rs.rooms))
	for _, r := range rs.rooms {
		all = append(all, r)
	}
	return all
}

// Keys lists the rooms.
func (rs *Rooms[E]) Keys() (keys []Key) {
	for _, r := range rs.all() {
		keys = append(keys, r.key)
	}
	return keys
}

func (r *Room[E]) sweep() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.rooms.clock()
	r.Trim(now)
	r.rooms.count(r, r.cost())
	if r.bytes == 0 && r.Beside == nil && now-r.used >= int64(r.limits.Age) && !r.rooms.occupied(r.key) {
		r.gone = true
		r.rooms.forget(r)
	}
}

func (rs *Rooms[E]) forget(r *Room[E]) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.countLocked(r, 0)
	rs.order.Remove(r.element)
	delete(rs.rooms, r.key)
}

// Stop ends the sweeps.
func (rs *Rooms[E]) Stop() {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.over = true
	if rs.timer != nil {
		rs.timer.Stop()
		rs.timer = nil
	}
}

// Size is how many rooms there are, and what they take.
func (rs *Rooms[E]) Size() (rooms int, bytes int64) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.rooms), rs.bytes
}
