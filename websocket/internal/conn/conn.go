// Package conn is one WebSocket connection (RFC 6455): frames in and messages out,
// and the reverse. It knows no server, no rooms and no events.
//
// A [Conn] reads, assembles and sends, keeps what nobody has asked for yet, answers
// pings, judges by its heartbeat whether the peer lives, and closes. What it cannot
// decide it asks its [Owner].
//
// # Runs
//
// What there is to do for a connection is noted, and done in runs, one at a time:
// callbacks are called there and nowhere else, and never under a lock. A run ends
// with one write of everything that it has queued.
//
// # Types
//
// What can be decided without a connection is decided by types that know none. Conn
// has them by value, and they are tested alone:
//
//   - schedule: when a run is due, and what for; whether bytes are read
//   - input: makes messages and control frames of bytes, within limits
//   - inbox: what waits for a consumer
//   - outbox.Outbox: what is queued, in the order in which it leaves
//   - writing: who writes it, and whether the peer takes it
//   - pulse.Heart: when to ping, and when to give up
//   - pulse.Voice: when to tell a peer that sees no pings that we live
//   - ending: how the connection ends, and how long that may take
//   - ledger: what outlives a lost transport, so that another can go on with it
//
// Conn guards them with its mutex, has the methods for its owner, and three ways to
// end: closeWith, breach and drop. What acts on several of them is grouped by who
// calls it: run has what only the goroutine of the run does, from reading to the
// owner's methods; output sends and writes; peer is what the transport calls.
package conn

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/limit"
	"github.com/nextrush/nextrush/websocket/internal/pulse"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Owner is whom a connection works for. Its methods are called in a run, one at a
// time, and may end their goroutine, unless they say otherwise.
type Owner interface {
	// Message hands a message to the callbacks, and reports whether one took it. Its
	// bytes are lent until the return.
	Message(op wire.Opcode, data []byte) bool
	// Offer reads a message, and returns what finds the callbacks that want it. That is
	// called under the connection's lock, and returns what calls them; nil: there are
	// none. The message has waited, or, if it is fresh, comes after others that wait.
	Offer(op wire.Opcode, data []byte, fresh bool) (claim func() (deliver func()))
	// Consumes reports whether there are callbacks that may want messages. It is
	// called from any goroutine, under the connection's lock.
	Consumes() bool
	// Control tells of a ping or a pong.
	Control(op wire.Opcode, data []byte)
	// Drained tells that the queue has emptied after it had waited for the peer.
	Drained()
	// Failed tells of a failure.
	Failed(err error)
	// Left tells once that the connection has ended. It is called from any goroutine,
	// and not in a run.
	Left()
	// Ended is to tell the end to whoever has not been told. It is called after
	// everything else, and again after RepeatEnd.
	Ended()
	// Gone is called once after that: the connection does nothing more.
	Gone()
	// Counts reports whether the peer counts a message, after [Conn.Keep].
	Counts(op wire.Opcode, data []byte) bool
	// Parked tells that the connection is parked, or is not any more. It is called from any
	// goroutine, under the connection's lock.
	Parked(is bool)
}

// Phase is the stage of a connection's life.
type Phase uint8

const (
	Connecting Phase = iota // before the 101
	Open                    // messages go both ways
	Closing                 // a close frame was sent or received
	Closed                  // nothing is sent or received any more
)

// Conn is a connection. Its exported methods are safe from any goroutine.
type Conn struct {
	cfg   *Config
	owner Owner
	link  transport.Conn
	pace  *pace.Pace // of the handler; nil: never run where we poll

	activity atomic.Int64 // when bytes arrived last, on the loop's clock
	timer    loop.Timer[*Conn]

	mu     sync.Mutex // guards the fields below
	phase  Phase
	ahead  bool // there is rare.early; of the goroutine of the run
	jitter byte // of the heartbeat
	keeps  bool // there is rare.ledger; it never changes once the connection is open
	voice  pulse.Voice
	runs   schedule

	out    writing
	ending *ending // &notEnding until it begins
	inbox  *inbox
	codec  *codec // permessage-deflate; nil if it was not agreed on
	rare   *rare
	heart  pulse.Heart
	in     input // of the goroutine of the run
}

// rare is what few connections have.
type rare struct {
	early []byte  // read and not processed: with the handshake, or while the inbox was full
	errs  []error // that the owner is still to be told

	ledger   *ledger
	shared   *limit.Shared
	expected int64 // when the connection closes, unless Expect is called again; 0: it does not
}

// Init makes c a connecting connection. jitter varies its heartbeat.
func (c *Conn) Init(cfg *Config, owner Owner, jitter byte) {
	c.cfg, c.owner, c.jitter, c.ending = cfg, owner, jitter, &notEnding
	if cfg.Client {
		c.inbox = newInbox(true)
	}
}

// Own makes another the owner of a connection that is not open yet.
func (c *Conn) Own(owner Owner) { c.owner = owner }

// Owner is whom c works for.
func (c *Conn) Owner() Owner { return c.owner }

// Phase tells the stage of the connection's life.
func (c *Conn) Phase() Phase {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase
}

// Pace is that of the handler, or nil; it is for callbacks.
func (c *Conn) Pace() *pace.Pace { return c.pace }

// LastActivity is when bytes arrived last.
func (c *Conn) LastActivity() time.Time { return c.cfg.Loop.Time(c.activity.Load()) }

// Share has what the peer sends from the next run on count towards a limit that others
// share.
func (c *Conn) Share(s *limit.Shared) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rareLocked().shared = s
}

// rareLocked is for writing to c.rare.
func (c *Conn) rareLocked() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}

// Report has the next run tell the owner of a failure.
func (c *Conn) Report(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.reportLocked(err)
}

func (c *Conn) reportLocked(err error) {
	c.cfg.Counters.Errors.Add(1)
	x := c.rareLocked()
	x.errs = append(x.errs, err)
	c.wakeLocked(workError)
}
