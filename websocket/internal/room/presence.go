package room

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/roster"
)

const (
	maxPresenceData = 4 << 10 // bytes that a client may say of its user
	presenceCost    = 500     // bytes that presence takes without users
)

// present is who is in a room with presence, guarded as the room is.
type present[S comparable] struct {
	*roster.Room[S]
	alarm alarm // of the next update
	ring  func()
}

// Present is the users in a room by name; nil if it has no presence.
func (rs *Rooms[S]) Present(key history.Key) map[string]roster.Member {
	opts := rs.Of(key.Room)
	if !opts.Shows() {
		return nil
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	p, ok := r.Beside.(*present[S])
	if !ok {
		return nil
	}
	return p.Members()
}

// Show has the presence of a room know whether somebody is there, and who it is. It is
// called after that may have changed.
func (rs *Rooms[S]) Show(s S, key history.Key) {
	opts := rs.Of(key.Room)
	if !opts.Shows() {
		return
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	p, now := rs.present(r, key, opts), rs.cfg.Clock()
	if user, in := rs.sockets.In(s, key.Room); in {
		p.Enter(s, user, now)
	} else {
		p.Exit(s, now)
	}
	rs.plan(r, p)
}

// Errors of Say, for the client.
var (
	ErrNotThere = errors.New("not in the room")
	ErrTooMuch  = fmt.Errorf("data of more than %d bytes", maxPresenceData)
)

// Say takes what a client says of its user, or, if that is nothing, tells it of all.
func (rs *Rooms[S]) Say(s S, key history.Key, data json.RawMessage) error {
	opts := rs.Of(key.Room)
	if !opts.Shows() {
		return ErrNotThere
	}
	if _, in := rs.sockets.In(s, key.Room); !in { // a name that a peer has made up makes no room
		return ErrNotThere
	}
	if len(data) > maxPresenceData {
		return ErrTooMuch
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	p := rs.present(r, key, opts)
	defer rs.plan(r, p)
	if !say(p.Room, s, data, rs.cfg.Clock()) {
		return ErrNotThere
	}
	return nil
}

func say[S comparable](r *roster.Room[S], s S, data json.RawMessage, now int64) (there bool) {
	if data == nil {
		return r.Ask(s, now)
	}
	text, err := json.Marshal(data) // a copy, as it is told
	return err == nil && r.Set(s, text, now)
}

// present is the presence of a room that is locked.
func (rs *Rooms[S]) present(r *locked, key history.Key, opts *Options[S]) *present[S] {
	p, ok := r.Beside.(*present[S])
	if !ok {
		p = &present[S]{Room: roster.New[S](opts.LeaveDelay, rs.cfg.Presence)}
		if rs.shared != nil {
			p.Spread(rs.cfg.Clock())
			if rs.shared.Watched(key) != 0 { // else it is compared when it is
				p.Compare(rs.cfg.Clock())
				rs.shared.Meet(key)
			}
		}
		p.ring = func() { rs.update(p, key, opts) }
		r.Beside = p
	}
	return p
}

// plan has the next update told in time, and counts what the presence takes. The room is
// locked.
func (rs *Rooms[S]) plan(r *locked, p *present[S]) {
	switch due := p.Due(); {
	case due != 0:
		p.alarm.set(due, rs.cfg.Clock(), p.ring)
	case p.Empty():
		p.alarm.stop()
		r.Beside, r.Weight = nil, 0
		return
	}
	r.Weight = presenceCost + p.Size()
}

// update tells members what has changed.
func (rs *Rooms[S]) update(p *present[S], key history.Key, opts *Options[S]) {
	for _, s := range rs.queueUpdate(p, key, opts) {
		s.Flush()
	}
}

func (rs *Rooms[S]) queueUpdate(p *present[S], key history.Key, opts *Options[S]) (flush []loop.Flusher) {
	r := rs.lock(key, opts)
	defer r.Unlock()
	now := rs.cfg.Clock()
	if r.Beside != any(p) || !p.alarm.rung(now) {
		return nil
	}
	if p.Telling(now) {
		update, fresh := p.Update(now)
		flush = rs.spread(key, &update, fresh)
	}
	rs.share(p, key, now)
	rs.plan(r, p)
	return flush
}

// spread queues an update: one frame for those who know nothing, another for the others.
func (rs *Rooms[S]) spread(key history.Key, u *roster.Update, fresh map[S]struct{}) (flush []loop.Flusher) {
	whole, news := optional(protocol.PresenceWhole(key.Room, u)), optional(protocol.PresenceNews(key.Room, u))
	if u.Crowd {
		whole = news
	} else if fresh == nil && u.Whole != nil {
		news = whole
	}
	for _, s := range rs.sockets.Members(key) {
		f := news
		if _, is := fresh[s]; is {
			f = whole
		}
		if f == nil || !rs.sockets.Speaks(s) {
			continue
		}
		c := rs.sockets.Conn(s)
		if write, _ := c.Broadcast(f, conn.Manner{}); write {
			flush = append(flush, c)
		}
	}
	return flush
}

func optional(text []byte) *conn.Frame {
	if text == nil {
		return nil
	}
	return textFrame(text)
}
