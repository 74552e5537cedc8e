// Package room has rooms of which more is told than who is a member: a history of their
// events, and which users are there. It knows no sockets, only what [Sockets] says of
// them.
package room

import (
	"context"
	"crypto/rand"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/history"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// MaxName is how many bytes the name of a room may have.
const MaxName = 256

// Sockets is what rooms need to know of sockets. Its methods are called while a room is
// locked.
type Sockets[S comparable] interface {
	Members(history.Key) []S // of a room; the list is not changed
	Conn(S) *conn.Conn
	ID(S) [16]byte
	Speaks(S) bool                            // nextrush.v1
	In(s S, room string) (as string, in bool) // the name of its user, or of itself
}

// Config is what all rooms of a server have in common.
type Config struct {
	Bytes    int64        // of all histories together
	Replay   int          // bytes that may wait in the queue of a socket after a replay
	Presence int          // bytes of the users of a room of whom more than the count is told
	Clock    func() int64 // nanoseconds
	Shared   Shared       // the history that several nodes have; nil: this one has it alone
}

// Rooms are those of a server. A nil one has none. Its methods are safe from any
// goroutine.
type Rooms[S comparable] struct {
	cfg     Config
	kinds   kinds[S]
	sockets Sockets[S]
	kept    *history.Rooms[*event] // nil: nobody is told anything

	shared  Shared // nil: this node has the history alone
	repairs repairs

	midPrefix string
	mids      atomic.Uint64
}

// locked is a room that is locked.
type locked = history.Room[*event]

const sweepPeriod = 10 * time.Second

// New makes the rooms of a server, by pattern of their names: a name, or the beginning of
// names and a "*". The longest that fits wins. nil: there are no patterns.
func New[S comparable](patterns map[string]Options[S], sockets Sockets[S], cfg Config) (*Rooms[S], error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	rs := &Rooms[S]{cfg: cfg, sockets: sockets, shared: cfg.Shared, midPrefix: rand.Text()[:8] + "-"}
	if err := rs.kinds.parse(patterns); err != nil {
		return nil, err
	}
	if rs.kinds.some((*Options[S]).Told) {
		rs.kept = history.NewRooms[*event](cfg.Bytes, sweepPeriod, cfg.Clock, rs.occupied)
	}
	return rs, nil
}

// Of is the options of a room; nil: it has nothing besides its members, as no room has
// whose name is too long: peers make up names.
func (rs *Rooms[S]) Of(room string) *Options[S] {
	if rs == nil || len(room) > MaxName {
		return nil
	}
	return rs.kinds.of(room)
}

// Can lists what clients are told that there is.
func (rs *Rooms[S]) Can() (can []string) {
	if rs == nil {
		return nil
	}
	for _, c := range []struct {
		name string
		has  func(*Options[S]) bool
	}{{"history", (*Options[S]).Keeps}, {"presence", (*Options[S]).Shows}, {"join", (*Options[S]).Joinable}} {
		if rs.kinds.some(c.has) {
			can = append(can, c.name)
		}
	}
	return can
}

// occupied reports whether somebody in a room knows positions.
func (rs *Rooms[S]) occupied(key history.Key) bool {
	return slices.ContainsFunc(rs.sockets.Members(key), rs.sockets.Speaks)
}

// Last is the text of the newest n events of a room, the oldest first, and the position of
// the newest; ok is false if the room has no history. The error is that of a history that
// nodes share.
func (rs *Rooms[S]) Last(ctx context.Context, key history.Key, n int) (texts [][]byte, at history.Position, ok bool, err error) {
	opts := rs.Of(key.Room)
	if !opts.Keeps() {
		return nil, at, false, nil
	}
	if !rs.Live(key) {
		texts, at, err = rs.lastShared(ctx, key, opts, n)
		return texts, at, true, err
	}
	r := rs.lock(key, opts)
	defer r.Unlock()
	for _, e := range r.Last(n, rs.cfg.Clock()) {
		texts = append(texts, e.plain.Payload())
	}
	return texts, r.Position(), true, nil
}

// lock returns a room, to be unlocked.
func (rs *Rooms[S]) lock(key history.Key, opts *Options[S]) *locked {
	return rs.kept.Lock(key, opts.Limits)
}

// Tells reports whether clients are told anything of some rooms.
func (rs *Rooms[S]) Tells() bool { return rs != nil && rs.kept != nil }

// Stop ends what rooms do by themselves.
func (rs *Rooms[S]) Stop() {
	if rs.Tells() {
		rs.kept.Stop()
	}
}

// Size is how many rooms are known, and the bytes that they take.
func (rs *Rooms[S]) Size() (rooms int, bytes int64) { return rs.kept.Size() }

// tell queues a message of the protocol. The caller flushes.
func (rs *Rooms[S]) tell(s S, text []byte) { Tell(rs.sockets.Conn(s), text) }

// Tell queues a message of the protocol. The caller flushes.
func Tell(c *conn.Conn, text []byte) { c.Broadcast(textFrame(text), conn.Manner{}) }

func textFrame(text []byte) *conn.Frame {
	f := new(conn.Frame)
	f.Set(wire.OpText, text)
	return f
}

// NextMid names an event to several rooms, also beyond a restart.
func (rs *Rooms[S]) NextMid() string {
	return rs.midPrefix + strconv.FormatUint(rs.mids.Add(1), 36)
}
