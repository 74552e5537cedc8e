package room

import (
	"encoding/json"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/roster"
)

// moving is how long users stay whose node has said goodbye: their clients go elsewhere.
const moving = 15 * time.Second

// share tells other nodes what is due. The room is locked, so that it leaves in order.
func (rs *Rooms[S]) share(p *present[S], key history.Key, now int64) {
	if rs.shared == nil {
		return
	}
	since, going := rs.shared.Leaving()
	for _, s := range p.Shares(now, going, moving-since) {
		if going && len(s.Stay) == 0 {
			continue
		}
		data, err := json.Marshal(s)
		if err == nil {
			err = rs.shared.Tell(key, data)
		}
		if err != nil {
			p.Retry(now)
			return
		}
	}
}

// Hear takes what another node tells of who is in a room. Of one that is going it counts
// who moves elsewhere.
func (rs *Rooms[S]) Hear(key history.Key, from roster.Node, going bool, data []byte) {
	var s roster.Share
	if json.Unmarshal(data, &s) != nil {
		return // of a newer node
	}
	rs.withPresent(key, func(p *present[S], now int64) {
		if !going {
			p.Hear(from, &s, now)
			return
		}
		for id, e := range s.In { // it has said so before its goodbye, which was faster
			s.In[id] = roster.Entry{Data: e.Data, Version: e.Version, For: moving.Milliseconds()}
		}
		p.Keep(s.In, now)
		p.Keep(s.Stay, now)
	})
}

// Meet has a room wait until nodes that have somebody there have told who that is.
func (rs *Rooms[S]) Meet(key history.Key, nodes []roster.Node) {
	rs.withPresent(key, func(p *present[S], now int64) { p.Meet(nodes, now) })
}

// Compare has a room know who is there at other nodes, and them who is here.
func (rs *Rooms[S]) Compare(key history.Key) {
	rs.withPresent(key, func(p *present[S], now int64) { p.Compare(now) })
}

// CompareAll is Compare for all rooms.
func (rs *Rooms[S]) CompareAll() {
	for _, key := range rs.keys() {
		rs.Compare(key)
	}
}

// Forget takes away who is at a node that is gone. Its users move elsewhere if it has said
// goodbye.
func (rs *Rooms[S]) Forget(node roster.Node, goodbye bool) {
	stay := time.Duration(0)
	if goodbye {
		stay = moving
	}
	for _, key := range rs.keys() {
		rs.withPresent(key, func(p *present[S], now int64) { p.Forget(node, stay, now) })
	}
}

func (rs *Rooms[S]) keys() []history.Key {
	if !rs.Tells() {
		return nil
	}
	return rs.kept.Keys()
}

// withPresent does something with the presence of a room that somebody is in.
func (rs *Rooms[S]) withPresent(key history.Key, do func(p *present[S], now int64)) {
	opts := rs.Of(key.Room)
	if !opts.Shows() {
		return
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	if p, ok := r.Beside.(*present[S]); ok {
		do(p, rs.cfg.Clock())
		rs.plan(r, p)
	}
}

// Own is the users of this node in a room.
func (rs *Rooms[S]) Own(key history.Key) (own map[string]roster.Entry) {
	rs.withPresent(key, func(p *present[S], _ int64) { own = p.Own() })
	return own
}
