package roster

import (
	"bytes"
	"encoding/json"
	"slices"
	"time"
)

// Node is another server with sockets in the room.
type Node = [16]byte

const (
	shareSize  = 128 << 10   // bytes of a Share, about
	maxSockets = 1 << 30     // of a user at one node
	maxStay    = 60_000      // milliseconds
	leastStay  = time.Second // that is told: nodes do not end it at the same moment
)

// Share is what a node tells others of its sockets in a room. Shares of one node arrive in
// order.
type Share struct {
	Ask   bool             `json:"ask,omitempty"`   // the others are to tell all that they have
	New   bool             `json:"new,omitempty"`   // and at once: the node has told nobody of anybody yet
	Whole bool             `json:"whole,omitempty"` // what the node has told before counts no more
	In    map[string]Entry `json:"in,omitempty"`    // users that have sockets there
	Out   []string         `json:"out,omitempty"`   // users that have none there any more
	Stay  map[string]Entry `json:"stay,omitempty"`  // users that have none anywhere, and have not left yet
}

// Entry is a user at one node. Of two data the one with the higher version counts.
type Entry struct {
	Data    json.RawMessage `json:"data,omitempty"`
	Version uint64          `json:"version,omitempty"`
	Sockets int             `json:"sockets"`
	For     int64           `json:"for,omitempty"` // milliseconds, of Stay
}

// nodes is what other nodes are to be told.
type nodes struct {
	changed    map[string]struct{} // users
	ask, whole bool
	due        int64 // when; 0: nothing
	last       int64
	meet       *meeting // nil: it is over
	again      int64    // when who has not told is asked again; 0: never
}

// meeting is when others tell who they have, before anybody is told here.
type meeting struct {
	over   int64         // at the latest
	heard  map[Node]bool // who has told
	awaits []Node        // who is to tell, if that is known
	known  bool
	late   bool // it is not waited for any more
	asks   int  // how often who has not told is asked again
}

func (m *meeting) complete() bool {
	return m.known && !slices.ContainsFunc(m.awaits, func(n Node) bool { return !m.heard[n] })
}

const (
	longMeet = 3 * time.Second // if others do not tell
	askAgain = 3               // times, as long apart: who has nobody left there does not answer
)

// Spread has the room be one of several nodes. What they have to know is in Shares. Nobody
// is told before the others have told who is there: a client that was at another node
// would take those for gone of whom it is not told.
func (r *Room[S]) Spread(now int64) {
	r.nodes = &nodes{changed: make(map[string]struct{}), meet: &meeting{over: now + int64(longMeet), heard: make(map[Node]bool)}}
}

// Meet says which other nodes have somebody there: the room waits until they have told.
func (r *Room[S]) Meet(others []Node, now int64) {
	if m := r.nodes.meet; m != nil {
		m.awaits, m.known = others, true
		r.meet(now)
	}
}

// meet ends the meeting if all have told.
func (r *Room[S]) meet(now int64) {
	switch m := r.nodes.meet; {
	case m == nil || !m.complete():
	case m.late:
		r.nodes.disperse()
	default:
		if m.over = 0; r.due != 0 {
			r.due = now + int64(Batch)
		}
	}
}

// disperse ends the meeting, and has nobody asked again.
func (n *nodes) disperse() { n.meet, n.again = nil, 0 }

// waited ends the meeting, or the wait for it.
func (r *Room[S]) waited(now int64) {
	n := r.nodes
	if n == nil || n.meet == nil {
		return
	}
	if n.meet.complete() {
		n.disperse()
	} else if !n.meet.late {
		n.meet.late, n.meet.asks, n.again = true, askAgain, now
	}
}

// remind has who has not told asked again if it is time.
func (n *nodes) remind(now int64) {
	switch {
	case n.again == 0 || now < n.again:
	case n.meet.asks == 0:
		n.disperse()
	default:
		n.meet.asks--
		n.ask, n.again = true, now+int64(longMeet)
		n.due = now
	}
}

// met is when the room is to be told of at the earliest.
func (r *Room[S]) met() int64 {
	if r.nodes == nil || r.nodes.meet == nil {
		return 0
	}
	return r.nodes.meet.over
}

// share has others told of a user soon.
func (r *Room[S]) share(id string, now int64) {
	if r.nodes != nil {
		r.nodes.changed[id] = struct{}{}
		r.nodes.plan(now)
	}
}

func (n *nodes) plan(now int64) {
	if n.due == 0 {
		n.due = max(now, n.last+int64(Batch))
	}
}

// Compare has other nodes tell all that they have, and told all that this one has.
func (r *Room[S]) Compare(now int64) {
	n := r.nodes
	n.ask, n.whole = true, true
	n.plan(now)
}

// Retry has others told all that this node has, after a Share that did not leave.
func (r *Room[S]) Retry(now int64) {
	r.nodes.whole = true
	r.nodes.due = now + int64(time.Second)
}

// Shares is what other nodes are to be told now, in order; none: it is not due yet. A node
// that has said goodbye has no users for others any more: those that they know to be here
// stay for a while, and come elsewhere.
func (r *Room[S]) Shares(now int64, going bool, stay time.Duration) (list []Share) {
	n := r.nodes
	if n == nil {
		return nil
	}
	if n.remind(now); n.due == 0 || now < n.due {
		return nil
	}
	defer n.shared(now)
	s, size := Share{Ask: n.ask, New: n.ask && n.meet != nil, Whole: n.whole}, 0
	if going {
		s = Share{}
	}
	for id, u := range r.outward(n) {
		if size += u.size(); size > shareSize {
			list = append(list, s)
			s, size = Share{}, u.size()
		}
		if !going {
			u.out = u.here > 0
		}
		switch left := time.Duration(u.until - now); {
		case going && (u.here > 0 || u.out):
			s.put(id, Entry{Data: u.data, Version: u.version, For: stay.Milliseconds()})
		case u.here > 0:
			s.put(id, Entry{Data: u.data, Version: u.version, Sockets: u.here})
		case u.sockets == 0 && left >= leastStay:
			s.put(id, Entry{Data: u.data, Version: u.version, For: left.Milliseconds()})
		}
	}
	for id := range n.changed {
		if u := r.users[id]; !n.whole && !going && (u == nil || u.here == 0) {
			s.Out = append(s.Out, id)
			if u != nil {
				u.out = false
			}
		}
	}
	return append(list, s)
}

func (n *nodes) shared(now int64) {
	clear(n.changed)
	n.ask, n.whole, n.due, n.last = false, false, 0, now
}

func (s *Share) put(id string, e Entry) {
	to := &s.In
	if e.Sockets == 0 {
		to = &s.Stay
	}
	if *to == nil {
		*to = make(map[string]Entry)
	}
	(*to)[id] = e
}

// outward yields the users of whom others are to be told: those of this node, and, if all
// are, those who stay.
func (r *Room[S]) outward(n *nodes) func(func(string, *user) bool) {
	return func(yield func(string, *user) bool) {
		for id, u := range r.users {
			_, changed := n.changed[id]
			if (u.here > 0 && changed || n.whole && (u.here > 0 || u.out || u.sockets == 0)) && !yield(id, u) {
				return
			}
		}
	}
}

// Hear takes what another node tells.
func (r *Room[S]) Hear(from Node, s *Share, now int64) {
	if s.Ask {
		r.nodes.whole = true
		r.nodes.plan(now)
	}
	if s.New {
		r.nodes.due = now
	}
	if s.Whole {
		for id, u := range r.users {
			if _, in := s.In[id]; !in {
				r.away(from, id, u, 0, now)
			}
		}
	}
	for id, e := range s.In {
		u := r.away(from, id, r.users[id], min(max(e.Sockets, 1), maxSockets), now)
		if e.Version > u.version || e.Version == u.version && bytes.Compare(e.Data, u.data) > 0 {
			r.setData(id, u, e.Data, e.Version, now)
		}
	}
	for _, id := range s.Out {
		if u := r.users[id]; u != nil {
			r.away(from, id, u, 0, now)
		}
	}
	r.Keep(s.Stay, now)
	if m := r.nodes.meet; m != nil && s.Whole {
		m.heard[from] = true
		r.meet(now)
	}
}

// Keep has users stay of whom another node says that they do.
func (r *Room[S]) Keep(stay map[string]Entry, now int64) {
	if r.delay == 0 {
		return
	}
	for id, e := range stay {
		u, until := r.users[id], now+min(e.For, maxStay)*int64(time.Millisecond)
		if u == nil {
			u = r.count(id, 0, now)
			r.setData(id, u, e.Data, e.Version, now)
			u.until = until
			r.planAt(until)
		}
		if u.sockets == 0 {
			u.until = max(u.until, until)
		}
	}
}

// away has a user have that many sockets at another node. u is nil for one that has none
// anywhere.
func (r *Room[S]) away(at Node, id string, u *user, sockets int, now int64) *user {
	was := 0
	if u != nil {
		was = u.away[at]
	}
	if was == sockets {
		return u
	}
	u = r.count(id, sockets-was, now)
	if u.away == nil {
		u.away = make(map[Node]int)
	}
	if u.away[at] = sockets; sockets == 0 {
		delete(u.away, at)
	}
	return u
}

// Forget takes away what a node has told, as it is gone. Users who have no other sockets
// stay for at least as long as given, if any do.
func (r *Room[S]) Forget(n Node, stay time.Duration, now int64) {
	if m := r.nodes.meet; m != nil {
		m.heard[n] = true
		r.meet(now)
	}
	for id, u := range r.users {
		if _, there := u.away[n]; !there {
			continue
		}
		if r.away(n, id, u, 0, now); u.sockets == 0 && r.delay > 0 {
			u.until = now + max(r.delay, int64(stay))
		}
	}
}

// Own is the users of this node, and those who stay without sockets.
func (r *Room[S]) Own() map[string]Entry {
	own := make(map[string]Entry)
	for id, u := range r.users {
		if u.here > 0 || u.sockets == 0 {
			own[id] = Entry{Data: u.data, Version: u.version, Sockets: u.here}
		}
	}
	return own
}

// Merge is who is there, of what all nodes have.
func Merge(parts []map[string]Entry) map[string]Member {
	all := make(map[string]Member)
	versions := make(map[string]Entry)
	for _, part := range parts {
		for id, e := range part {
			m, v := all[id], versions[id]
			if e.Version > v.Version || e.Version == v.Version && bytes.Compare(e.Data, v.Data) >= 0 {
				m.Data, versions[id] = e.Data, e
			}
			m.Sockets += e.Sockets
			all[id] = m
		}
	}
	return all
}
