package redial

import (
	"encoding/json"
	"maps"
	"slices"
)

// Member is a user in a room.
type Member struct {
	Data    json.RawMessage `json:"data"`
	Sockets int             `json:"sockets"`
}

// PresenceChange tells who has come and gone, in the order of their names. Sync: compared
// with what was known before, of which some may have been missed.
type PresenceChange struct {
	Joined, Left []string
	Sync         bool
}

// crowd is who is in a room with presence.
type crowd struct {
	members map[string]Member
	count   int
	mine    json.RawMessage // that others see of us; nil: nothing was said
}

// watch has a room know who is there.
func (r *rooms) watch(x *room) *crowd {
	if x.crowd == nil {
		x.crowd = &crowd{members: make(map[string]Member)}
		r.c.send(out{Type: "presence", Room: x.name}) // for all of it, if it has come already
	}
	return x.crowd
}

// show says what others see of us.
func (r *rooms) show(x *room, data json.RawMessage) error {
	r.watch(x).mine = data
	return r.c.send(out{Type: "presence", Room: x.name, Data: data})
}

// present takes what the server says of who is in a room.
func (r *rooms) present(x *room, f *frame) {
	if x.crowd == nil {
		return
	}
	if f.Set != nil && x.crowd.mine != nil {
		r.c.send(out{Type: "presence", Room: x.name, Data: x.crowd.mine}) // a new session knows nothing of us
	}
	change := x.crowd.take(f)
	r.c.tell(0, func(app App) { app.Presence(x.name, change) })
}

func (w *crowd) take(f *frame) (c PresenceChange) {
	before := maps.Clone(w.members)
	if c.Sync = f.Set != nil || f.Count != nil; c.Sync {
		clear(w.members)
	}
	w.put(f.Set)
	w.put(f.Join)
	for _, user := range f.Leave {
		delete(w.members, user)
	}
	if w.count = len(w.members); f.Count != nil {
		w.count = max(*f.Count, 0)
	}
	c.Joined, c.Left = missing(w.members, before), missing(before, w.members)
	return c
}

func (w *crowd) put(users map[string]*Member) {
	for user, m := range users {
		if m == nil {
			m = new(Member)
		}
		w.members[user] = *m
	}
}

// missing lists who is in all but not in some.
func missing(all, some map[string]Member) (users []string) {
	for user := range all {
		if _, there := some[user]; !there {
			users = append(users, user)
		}
	}
	slices.Sort(users)
	return users
}
