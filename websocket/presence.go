package websocket

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/roster"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	defaultLeaveDelay = 5 * time.Second
	maxPresenceData   = 4 << 10 // bytes that a client may say of its user
)

// Present is a user who is in a room with presence.
type Present struct {
	User    string          // of SetUser; the id of a socket without a user
	Data    json.RawMessage // what a client has said of the user; nil: nothing
	Sockets int             // 0: the last has gone less than LeaveDelay ago
}

// presentRoom is who is in a room with presence, guarded as the room is.
type presentRoom struct {
	*roster.Room[*Socket]
	timer *time.Timer // of the next update; nil: none
	at    int64       // of that
}

// Presence lists the users in a room of the namespace, in the order of their names; nil if
// the room has no presence. The error is ctx's.
func (ns *Namespace) Presence(ctx context.Context, room string) ([]Present, error) {
	opts := ns.kind(room)
	if err := ctx.Err(); err != nil || !opts.shows() {
		return nil, err
	}
	r := ns.lock(room, opts)
	defer r.Unlock()
	p, ok := r.Beside.(*presentRoom)
	if !ok {
		return nil, nil
	}
	list := make([]Present, 0, len(p.Members()))
	for id, m := range p.Members() {
		list = append(list, Present{id, m.Data, m.Sockets})
	}
	slices.SortFunc(list, func(a, b Present) int { return strings.Compare(a.User, b.User) })
	return list, nil
}

// Presence is [Namespace.Presence] of the default namespace.
func (srv *Server) Presence(ctx context.Context, room string) ([]Present, error) {
	return srv.main.Presence(ctx, room)
}

// showIn has the presence of a room know whether the socket is there, and whose it is. It
// is called after that may have changed.
func (s *Socket) showIn(room string) {
	opts := s.ns.kind(room)
	if !opts.shows() {
		return
	}
	r := s.ns.lock(room, opts)
	defer r.Unlock()
	p, now := s.ns.present(r, opts), s.ns.loop.Now()
	if user, in := s.isIn(room); in {
		p.Enter(s, user, now)
	} else {
		p.Exit(s, now)
	}
	s.ns.planPresence(r, p, room, opts)
}

// show is showIn for several rooms.
func (s *Socket) show(rooms []string) {
	for _, room := range rooms {
		s.showIn(room)
	}
}

// isIn reports whether the socket is in a room, and as whom.
func (s *Socket) isIn(room string) (user string, in bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.presence != present || !s.rooms.Has(room) {
		return "", false
	}
	if seat := s.seatLocked(); seat != nil {
		return seat.user.ID, true
	}
	return s.ID(), true
}

// present is the presence of a room that is locked.
func (ns *Namespace) present(r *history.Room[kept], opts *RoomOptions) *presentRoom {
	p, ok := r.Beside.(*presentRoom)
	if !ok {
		p = &presentRoom{Room: roster.New[*Socket](max(opts.LeaveDelay, 0))}
		r.Beside = p
	}
	return p
}

// planPresence has the next update told in time. The room is locked.
func (ns *Namespace) planPresence(r *history.Room[kept], p *presentRoom, room string, opts *RoomOptions) {
	due := p.Due()
	if due == 0 && p.Empty() {
		r.Beside = nil
	}
	if due == 0 || p.timer != nil && p.at <= due {
		return
	}
	if p.timer != nil {
		p.timer.Stop()
	}
	p.at = due
	p.timer = time.AfterFunc(time.Duration(due-ns.loop.Now()), func() { ns.tellPresence(room, opts) })
}

// tellPresence tells members what has changed.
func (ns *Namespace) tellPresence(room string, opts *RoomOptions) {
	for _, s := range ns.queuePresence(room, opts) {
		s.Flush()
	}
}

func (ns *Namespace) queuePresence(room string, opts *RoomOptions) (flush []loop.Flusher) {
	r := ns.lock(room, opts)
	defer r.Unlock()
	p, ok := r.Beside.(*presentRoom)
	if !ok {
		return nil
	}
	p.timer = nil
	if now := ns.loop.Now(); p.Due() != 0 && p.Due() <= now {
		update, fresh := p.Update(now)
		flush = ns.spreadPresence(room, &update, fresh)
	}
	ns.planPresence(r, p, room, opts)
	return flush
}

// spreadPresence queues an update: one frame for those who know nothing, another for the
// others.
func (ns *Namespace) spreadPresence(room string, u *roster.Update, fresh map[*Socket]struct{}) (flush []loop.Flusher) {
	whole, news := textFrame(protocol.PresenceWhole(room, u)), textFrame(protocol.PresenceNews(room, u))
	if u.Crowd {
		whole = news
	} else if fresh == nil && u.Whole != nil {
		news = whole
	}
	for _, s := range ns.hub.Members(room) {
		f := news
		if _, is := fresh[s]; is {
			f = whole
		}
		if f == nil || !s.speaks {
			continue
		}
		if write, _ := s.conn.Broadcast(f, conn.Manner{}); write {
			flush = append(flush, &s.conn)
		}
	}
	return flush
}

func textFrame(text []byte) *conn.Frame {
	if text == nil {
		return nil
	}
	f := new(conn.Frame)
	f.Set(wire.OpText, text)
	return f
}

// presenceAsked takes what a client says of its user, or tells it of all.
func (v *session) presenceAsked(m *protocol.Message) {
	s := (*Socket)(v.owner)
	opts := s.ns.kind(m.Room)
	if _, in := s.isIn(m.Room); !in || !opts.shows() || len(m.Data) > maxPresenceData {
		return
	}
	r := s.ns.lock(m.Room, opts)
	defer r.Unlock()
	p, now := s.ns.present(r, opts), s.ns.loop.Now()
	if m.Data == nil {
		p.Ask(s, now)
	} else {
		p.Set(s, slices.Clone(m.Data), now)
	}
	s.ns.planPresence(r, p, m.Room, opts)
}
