// Package roster knows which users are in a room, and what is to be told of that and
// when. It knows no sockets and no clock.
package roster

import (
	"encoding/json"
	"time"
)

const (
	Batch = 250 * time.Millisecond // between two messages of a room
	Slow  = 2 * time.Second        // the same while only the count is told
	Most  = 500                    // users of whom more than the count is told
	less  = 450                    // users at which that begins again
)

// Member is what is told of a user.
type Member struct {
	Data    json.RawMessage `json:"data"`
	Sockets int             `json:"sockets"`
}

// Update is what is to be told at one time. Whole is for those who know nothing yet, the
// rest for all others. With Count the users are too many to be told.
type Update struct {
	Join  map[string]Member
	Leave []string
	Whole map[string]Member
	Count int // users, if Crowd
	Crowd bool
}

// Room is who is there, by somebody's sockets S. A user whose last socket has gone stays
// for a while: it may come back. It is not safe from several goroutines. Times are in
// nanoseconds of the caller's clock.
type Room[S comparable] struct {
	delay   int64
	most    int          // bytes of users of whom more than the count is told
	bytes   int          // of all users, as they are told
	sockets map[S]string // users of those that are there
	users   map[string]*user
	changed map[string]struct{} // users of whom something is to be told
	leaving int                 // users without sockets
	fresh   map[S]struct{}      // who knows nothing yet
	crowd   bool                // only the count is told
	due     int64               // of the next update; 0: none
	last    int64               // when there was one
	nodes   *nodes              // what other nodes are told; nil: there are none
}

type user struct {
	sockets int          // of all nodes
	here    int          // of this node
	away    map[Node]int // of others
	name    int          // bytes of its JSON form
	data    json.RawMessage
	version uint64 // of data
	until   int64  // it stays without sockets
	told    bool   // others know of it
	out     bool   // other nodes know that it has sockets here
}

// New makes an empty room. delay is how long users stay without sockets; if they take more
// bytes than most when they are told, only their count is.
func New[S comparable](delay time.Duration, most int) *Room[S] {
	return &Room[S]{
		delay: int64(delay), most: most, sockets: make(map[S]string), users: make(map[string]*user),
		changed: make(map[string]struct{}), fresh: make(map[S]struct{}),
	}
}

// Empty reports whether nobody is there who is to be told, or to be told of.
func (r *Room[S]) Empty() bool {
	if r.nodes != nil {
		return len(r.sockets) == 0 && r.nodes.due == 0
	}
	return len(r.users) == 0
}

// Enter puts a socket of a user into the room; if it is there as another user, it is
// that no longer.
func (r *Room[S]) Enter(s S, id string, now int64) {
	switch was, in := r.sockets[s]; {
	case in && was == id:
		return
	case in:
		r.leave(was, now)
	}
	r.sockets[s] = id
	u := r.count(id, 1, now)
	if u.here++; u.here == 1 {
		r.share(id, now)
	}
	r.Ask(s, now)
}

// count counts sockets that a user has, or has no longer.
func (r *Room[S]) count(id string, more int, now int64) *user {
	u := r.users[id]
	if u == nil {
		u = &user{name: nameSize(id)}
		r.users[id] = u
		r.bytes += u.size()
		r.change(id, now)
		r.leaving++
	}
	if u.sockets == 0 {
		r.leaving--
	}
	if u.sockets += more; u.sockets == 0 {
		r.leaving++
		u.until = now + r.delay
		r.planAt(u.until)
	}
	return u
}

// Ask has a socket told of all, and reports whether it is there.
func (r *Room[S]) Ask(s S, now int64) bool {
	_, in := r.sockets[s]
	if in {
		r.fresh[s] = struct{}{}
		r.plan(now)
	}
	return in
}

// Has reports whether a socket is there.
func (r *Room[S]) Has(s S) bool {
	_, in := r.sockets[s]
	return in
}

// Exit takes a socket out of the room.
func (r *Room[S]) Exit(s S, now int64) {
	if id, in := r.sockets[s]; in {
		delete(r.sockets, s)
		delete(r.fresh, s)
		r.leave(id, now)
	}
}

func (r *Room[S]) leave(id string, now int64) {
	u := r.count(id, -1, now)
	if u.here--; u.here == 0 {
		r.share(id, now)
	}
}

// Set changes what is told of the user of a socket, and reports whether it is there. data
// is as json.Marshal writes it.
func (r *Room[S]) Set(s S, data json.RawMessage, now int64) bool {
	id, in := r.sockets[s]
	if in {
		u := r.users[id]
		r.setData(id, u, data, u.version+1, now)
		r.share(id, now)
	}
	return in
}

func (r *Room[S]) setData(id string, u *user, data json.RawMessage, version uint64, now int64) {
	r.bytes += len(data) - len(u.data)
	u.data, u.version = data, version
	r.change(id, now)
}

func (r *Room[S]) change(id string, now int64) {
	r.changed[id] = struct{}{}
	r.plan(now)
}

// plan has something told soon.
func (r *Room[S]) plan(now int64) {
	wait := Batch
	if r.crowd {
		wait = Slow
	}
	r.planAt(max(now+int64(Batch), r.last+int64(wait)))
}

func (r *Room[S]) planAt(at int64) {
	if at = max(at, r.met()); r.due == 0 || at < r.due {
		r.due = at
	}
}

// Size is about how many bytes the room takes.
func (r *Room[S]) Size() int { return r.bytes + userCost*len(r.users) + socketCost*len(r.sockets) }

const (
	userCost   = 250 // besides its name and data
	socketCost = 100
)

// Due is when Update or Shares is to be called; 0: there is nothing to tell.
func (r *Room[S]) Due() int64 {
	at := r.due
	if n := r.nodes; n != nil {
		for _, next := range []int64{n.due, n.again} {
			if next != 0 && (at == 0 || next < at) {
				at = next
			}
		}
	}
	return at
}

// Telling reports whether Update is to be called now.
func (r *Room[S]) Telling(now int64) bool { return r.due != 0 && r.due <= now }

// Update returns what is to be told now, and to whom Whole is.
func (r *Room[S]) Update(now int64) (u Update, fresh map[S]struct{}) {
	r.due, r.last = 0, now
	r.waited(now)
	u.Leave = r.gone(now)
	fresh, r.fresh = r.fresh, make(map[S]struct{})
	was := r.crowd
	r.crowd = r.exceeds(Most, r.most) || was && r.exceeds(less, r.most/10*9)
	switch {
	case r.crowd:
		u.Crowd, u.Count = true, len(r.users)
		u.Leave = nil
	case was:
		u.Whole, fresh, u.Leave = r.Members(), nil, nil // all know nothing
	default:
		u.Join = r.news()
		if len(fresh) > 0 {
			u.Whole = r.Members()
		}
	}
	clear(r.changed)
	if !r.crowd {
		r.told()
	}
	return u, fresh
}

// exceeds reports whether there are more users, or bytes of them.
func (r *Room[S]) exceeds(users, bytes int) bool { return len(r.users) > users || r.bytes > bytes }

// gone removes users that have been without sockets for long enough, and returns those of
// whom others know.
func (r *Room[S]) gone(now int64) (left []string) {
	if r.leaving == 0 {
		return nil
	}
	for id, u := range r.users {
		switch {
		case u.sockets > 0:
		case u.until > now:
			r.planAt(u.until)
		default:
			r.leaving--
			r.bytes -= u.size()
			delete(r.users, id)
			delete(r.changed, id)
			if u.told {
				left = append(left, id)
			}
		}
	}
	return left
}

func (r *Room[S]) news() map[string]Member {
	news := make(map[string]Member, len(r.changed))
	for id := range r.changed {
		news[id] = r.users[id].member()
	}
	return news
}

func (r *Room[S]) told() {
	for _, u := range r.users {
		u.told = true
	}
}

func (u *user) member() Member { return Member{u.data, u.sockets} }

// size is about what it takes to tell a user.
func (u *user) size() int { return u.name + len(u.data) + len(`:{"data":null,"sockets":1000},`) }

func nameSize(id string) int {
	text, _ := json.Marshal(id) // it is a string
	return len(text)
}

// Members is all that is told of the users.
func (r *Room[S]) Members() map[string]Member {
	all := make(map[string]Member, len(r.users))
	for id, u := range r.users {
		all[id] = u.member()
	}
	return all
}
