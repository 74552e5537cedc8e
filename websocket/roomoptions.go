package websocket

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/history"
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
	// joined, then who comes and goes, four times a second at most; of more than 500 users
	// only how many, each two seconds. A user with several sockets comes and goes
	// once; see [Socket.SetUser]. A socket without a user counts as one.
	Presence   bool
	LeaveDelay time.Duration // a user stays for it without sockets; 0: 5 s; negative: not at all
	// Join lets clients of nextrush.v1 join and leave by themselves. It returns nil if s
	// may join, and runs as a callback of s. Its error is the answer, as that of the handler
	// of an event is. nil: they may not.
	Join func(s *Socket, room string) error
}

// History bounds the events that are kept of a room. It keeps those of Emit, unless they
// are volatile; who sent one, and who was excepted, does not get it later either. What
// was kept stays for Age after the room is empty.
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

const (
	defaultHistoryBytes = 1 << 20
	defaultHistoryAge   = 5 * time.Minute
	defaultRingBytes    = 256 << 20
)

// roomKinds finds the options of a room. A nil one has none.
type roomKinds struct {
	exact    map[string]*RoomOptions
	prefixes []roomKind // the longest first
}

type roomKind struct {
	prefix string
	opts   *RoomOptions
}

// parse checks the patterns and fills in defaults.
func (r Rooms) parse() (*roomKinds, error) {
	if len(r) == 0 {
		return nil, nil
	}
	k := &roomKinds{exact: make(map[string]*RoomOptions)}
	for pattern, opts := range r {
		prefix, wild := strings.CutSuffix(pattern, "*")
		if strings.Contains(prefix, "*") || pattern == "" {
			return nil, fmt.Errorf(`websocket: Rooms: pattern %q must be a name, or the beginning of names and a "*" at its end`, pattern)
		}
		h := &opts.History
		if h.Messages < 0 || h.Bytes < 0 || h.Age < 0 {
			return nil, fmt.Errorf("websocket: Rooms: the History of %q must not be negative", pattern)
		}
		if h.Messages == 0 && (h.Bytes > 0 || h.Age > 0 || h.Private) {
			return nil, fmt.Errorf("websocket: Rooms: the History of %q keeps nothing: set Messages", pattern)
		}
		if h.Bytes == 0 {
			h.Bytes = defaultHistoryBytes
		}
		if opts.LeaveDelay == 0 {
			opts.LeaveDelay = defaultLeaveDelay
		}
		if h.Age == 0 {
			h.Age = defaultHistoryAge
		}
		if wild {
			k.prefixes = append(k.prefixes, roomKind{prefix, &opts})
		} else {
			k.exact[pattern] = &opts
		}
	}
	slices.SortFunc(k.prefixes, func(a, b roomKind) int { return len(b.prefix) - len(a.prefix) })
	return k, nil
}

// of is nil for a room that has nothing besides its members, as no room has whose name
// is too long: peers make up names.
func (k *roomKinds) of(room string) *RoomOptions {
	if k == nil || len(room) > maxRoomName {
		return nil
	}
	if opts := k.exact[room]; opts != nil {
		return opts
	}
	for _, p := range k.prefixes {
		if strings.HasPrefix(room, p.prefix) {
			return p.opts
		}
	}
	return nil
}

// some reports whether a kind of rooms has something.
func (k *roomKinds) some(has func(*RoomOptions) bool) bool {
	if k == nil {
		return false
	}
	for _, opts := range k.exact {
		if has(opts) {
			return true
		}
	}
	return slices.ContainsFunc(k.prefixes, func(p roomKind) bool { return has(p.opts) })
}

func (o *RoomOptions) keeps() bool    { return o != nil && o.History.Messages > 0 }
func (o *RoomOptions) joinable() bool { return o != nil && o.Join != nil }

// told reports whether clients are told of their joining.
func (o *RoomOptions) told() bool { return o.keeps() || o.shows() }

func (o *RoomOptions) shows() bool { return o != nil && o.Presence }

func (o *RoomOptions) limits() history.Limits {
	if !o.keeps() {
		return history.Limits{}
	}
	return history.Limits{Messages: o.History.Messages, Bytes: o.History.Bytes, Age: o.History.Age}
}
