package websocket

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/room"
)

// Rooms says what rooms have besides their members, by pattern of their names: a name,
// or the beginning of names and a "*", as in "room:*". The longest that fits wins, in
// all namespaces.
type Rooms map[string]RoomOptions

// RoomOptions says what rooms have besides their members.
type RoomOptions struct {
	// History keeps events, so that clients of nextrush.v1 that were cut off get what they
	// have missed; zero: none is kept.
	History History
	// Presence tells clients of nextrush.v1 which users are in the room: all after they have
	// joined, then who comes and goes, four times a second at most. Of more than 500 users,
	// or of users whose names and data have more bytes than a quarter of Options.SendQueue,
	// it tells only how many, each two seconds. A user has at most 4 KiB of data. One with
	// several sockets comes and goes once; see [Socket.SetUser]. A socket without a user
	// counts as one.
	Presence   bool
	LeaveDelay time.Duration // a user stays for it without sockets; 0: 5 s; negative: not at all
	// Join lets clients of nextrush.v1 join and leave by themselves. It returns nil if s
	// may join, and runs as a callback of s. Its error is the answer, as that of the handler
	// of an event is. nil: they may not.
	Join func(s *Socket, room string) error
}

// History bounds the events that are kept of a room. It keeps those of Emit, unless they
// are volatile. Who sent one, or was excepted, does not get it later either if its client
// says who it was: that saves messages, and keeps no secret from members. What was kept
// stays for Age after the room is empty.
type History struct {
	Messages int           // 0: no history
	Bytes    int           // 0: 1 MiB
	Age      time.Duration // 0: 5 min
	// Private keeps clients from reading back: only [Socket.JoinFrom] does, for the
	// program to decide. Otherwise whoever is in the room may read what is kept.
	Private bool
}

// Position is a place in the history of a room: behind one event, and before the next. Its
// JSON form is ["epoch",offset].
type Position struct {
	// Epoch names the history. Another one, as after a restart of the server, has its own
	// offsets.
	Epoch string
	// Offset is the number of the event; the first of a history has 1. 0, or less, is before
	// all events, so Offset-50 is the place 50 events back in a young history too.
	Offset int64
}

// MarshalJSON writes ["epoch",offset].
func (p Position) MarshalJSON() ([]byte, error) { return history.Position(p).MarshalJSON() }

// UnmarshalJSON reads ["epoch",offset], with an offset of 0 or more.
func (p *Position) UnmarshalJSON(data []byte) error {
	return (*history.Position)(p).UnmarshalJSON(data)
}

// Present is a user who is in a room with presence.
type Present struct {
	User    string          // of SetUser; the id of a socket without a user
	Data    json.RawMessage // what a client has said of the user; nil: nothing
	Sockets int             // 0: the last has gone less than LeaveDelay ago
}

// Position returns where the history of a room of the namespace is. Who loads state that
// the room's events change asks for it before, and hands it to the client with the state,
// which then gets what came after. A room without history has the zero Position. The
// error is ctx's, or ErrBrokerDown.
func (ns *Namespace) Position(ctx context.Context, room string) (Position, error) {
	if err := ctx.Err(); err != nil {
		return Position{}, err
	}
	_, at, _, err := ns.rooms().Last(ctx, ns.key(room), 0)
	return Position(at), err
}

// Position is [Namespace.Position] of the default namespace.
func (srv *Server) Position(ctx context.Context, room string) (Position, error) {
	return srv.main.Position(ctx, room)
}

// Past is the end of a room's history. In JSON it is what a client needs to begin with: its
// events, and the position from which it goes on.
type Past struct {
	Events   []PastEvent `json:"events"`   // the oldest first
	Position Position    `json:"position"` // of the newest, also if it is not among them
}

// PastEvent is an event in a history. Its JSON form is that of the message.
type PastEvent struct {
	Name      string            `json:"event"`
	Args      []json.RawMessage `json:"data"`      // bytes are base64
	Timestamp int64             `json:"timestamp"` // of Emit, in Unix milliseconds
	Offset    int64             `json:"offset"`
}

// History returns the newest n events that a room of the namespace keeps, or as many as
// there are, for state that a client loads before it joins: what comes after its Position
// is what the client has not got. It has all events, whoever was excepted from them. A
// room without history has none, and the zero Position. The error is ctx's, or ErrBrokerDown.
func (ns *Namespace) History(ctx context.Context, room string, n int) (Past, error) {
	past := Past{Events: []PastEvent{}}
	if err := ctx.Err(); err != nil {
		return past, err
	}
	texts, at, _, err := ns.rooms().Last(ctx, ns.key(room), n)
	if err != nil {
		return past, err
	}
	past.Position = Position(at)
	for i, text := range texts {
		e := PastEvent{}
		if err := json.Unmarshal(text, &e); err != nil {
			return past, err // which we have written
		}
		e.Offset = at.Offset - int64(len(texts)-1-i)
		past.Events = append(past.Events, e)
	}
	return past, nil
}

// History is [Namespace.History] of the default namespace.
func (srv *Server) History(ctx context.Context, room string, n int) (Past, error) {
	return srv.main.History(ctx, room, n)
}

// Presence lists the users in a room of the namespace, in the order of their names; nil if
// the room has no presence. The error is ctx's. With a [Broker] it asks the other nodes, and
// fails as the methods of [Cluster] do, with the users of those that have answered.
func (ns *Namespace) Presence(ctx context.Context, room string) (list []Present, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	users, err := ns.present(ctx, room)
	for id, m := range users {
		list = append(list, Present{id, m.Data, m.Sockets})
	}
	slices.SortFunc(list, func(a, b Present) int { return strings.Compare(a.User, b.User) })
	return list, err
}

// Presence is [Namespace.Presence] of the default namespace.
func (srv *Server) Presence(ctx context.Context, room string) ([]Present, error) {
	return srv.main.Presence(ctx, room)
}

// JoinFrom is Join for somebody who has missed what came to the room after a position.
// What is still kept of that is sent at once, before what comes next; recovered tells
// that this is all of it. Otherwise nothing of it is sent, and clients of nextrush.v1 are
// told so, who then load their state anew. A client of nextrush.v1 that comes back gets
// what came after the position that it has instead; or, if that is not kept any more, what
// came after since, behind a gap. Before the 101 recovered is false: it is not known yet,
// and a socket without the subprotocol gets nothing. The errors are those of Join, and
// ctx's.
func (s *Socket) JoinFrom(ctx context.Context, name string, since Position) (recovered bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if checkRoom(name) != nil || !s.ns.rooms().Of(name).Keeps() || !s.speaks && s.State() == StateConnecting {
		return false, s.Join(name)
	}
	return s.joinTold(name, &room.Claim{At: history.Position(since)})
}

// JoinLast is JoinFrom the position before the newest n events that the room keeps, for a
// handler that has no state but the room's: whoever has just come is sent those, and a
// client of nextrush.v1 that comes back what it has missed, or those behind a gap.
func (s *Socket) JoinLast(ctx context.Context, name string, n int) error {
	texts, at, _, err := s.ns.rooms().Last(ctx, s.ns.key(name), n)
	if err != nil {
		return err
	}
	at.Offset -= int64(len(texts))
	_, err = s.JoinFrom(ctx, name, Position(at))
	return err
}

type roomOptions = room.Options[*Socket]

// newRooms makes the rooms of which more is told than who is a member; nil: there are none.
func (srv *Server) newRooms() (*room.Rooms[*Socket], error) {
	patterns := make(map[string]roomOptions, len(srv.opts.Rooms))
	for pattern, o := range srv.opts.Rooms {
		h := o.History
		patterns[pattern] = roomOptions{
			Limits:  history.Limits{Messages: h.Messages, Bytes: h.Bytes, Age: h.Age},
			Private: h.Private, Presence: o.Presence, LeaveDelay: o.LeaveDelay, Join: o.Join,
		}
	}
	cfg := room.Config{
		Bytes: srv.opts.RingBytes, Replay: srv.opts.SendQueue / 2, Presence: srv.opts.SendQueue / 4, Clock: srv.loop.Now,
	}
	if srv.opts.Broker != nil {
		cfg.Shared = shared{srv}
	}
	return room.New(patterns, sockets{srv}, cfg)
}

// rooms are those of which more is told than who is a member.
func (ns *Namespace) rooms() *room.Rooms[*Socket] {
	if ns.srv == nil {
		return nil
	}
	return ns.srv.told
}

func (ns *Namespace) key(room string) history.Key {
	return history.Key{Namespace: ns.name, Room: room}
}

// sockets is what those rooms know of sockets.
type sockets struct{ srv *Server }

func (k sockets) Members(key history.Key) []*Socket {
	ns := k.srv.main
	if key.Namespace != "" {
		ns = k.srv.spaces.Get(key.Namespace)
	}
	if ns == nil {
		return nil
	}
	return ns.hub.Members(key.Room)
}

func (sockets) Conn(s *Socket) *conn.Conn { return &s.conn }

func (sockets) ID(s *Socket) [16]byte { return s.id }

func (sockets) Speaks(s *Socket) bool { return s.speaks }

func (sockets) In(s *Socket, room string) (as string, in bool) {
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
