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
package conn

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Owner is whom a connection works for. Its methods are called in a run, one at a
// time, and may end their goroutine, unless they say otherwise.
type Owner interface {
	// Message hands a message to the callbacks, and reports whether one took it. Its
	// bytes are lent until the return.
	Message(op wire.Opcode, data []byte) bool
	// Offer reads a message that has waited, and returns what finds the callbacks that
	// want it. That is called under the connection's lock, and returns what calls them;
	// nil: there are none.
	Offer(op wire.Opcode, data []byte) (claim func() (deliver func()))
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

	mu       sync.Mutex // guards the fields below
	phase    Phase
	pending  work // for the next run
	run      runState
	in       inState
	output   outState
	handling bool   // the handler has not returned
	dirty    bool   // in a list of connections to be flushed
	backlog  bool   // Drained is owed
	drains   bool   // the owner wants it
	ahead    bool   // there is rare.early; of the goroutine of the run
	jitter   byte   // of the heartbeat
	writes   uint32 // counts writes, to tell one from the next

	worker  *loop.Worker // of the run; nil: none
	out     *outbox      // nil while nothing waits
	ending  *ending      // &notEnding until it begins
	inbox   *inbox
	codec   *codec // permessage-deflate; nil if it was not agreed on
	rare    *rare
	heart   heartbeat
	limiter *limiter // of the goroutine of the run
	read    *reader  // nil between messages; of the goroutine of the run
}

// rare is what few connections have.
type rare struct {
	early []byte  // read and not processed: with the handshake, or while the inbox was full
	errs  []error // that the owner is still to be told
}

// runState tells where a run is.
type runState uint8

const (
	atRest   runState = iota
	queued            // a worker has been asked
	batching          // what callbacks send is held back for the end of the batch
	unheld            // the run goes on, and nothing is held back
)

// inState tells whether bytes are read.
type inState uint8

const (
	inNotBegun inState = iota
	inReading
	inPaused // a run has stopped before all was read
)

// outState tells who writes.
type outState uint8

const (
	outIdle    outState = iota
	outWriting          // a goroutine owns the front of the outbox
	outBlocked          // the transport is finishing a write in the background
)

// work is a set of reasons for a run.
type work uint8

const (
	workError work = 1 << iota // errors are to be told
	workRead                   // bytes may be there
	workInbox                  // a consumer has come for what waits
	workDrain                  // the queue has emptied
	workEnd                    // the end is to be told
)

// Config is what the connections of a server have in common. A duration that is
// negative means: never, or not at all.
type Config struct {
	Loop     *loop.Loop
	Wheel    *loop.Wheel[*Conn]
	Counters *Counters
	Client   bool // we are the client
	Poll     bool // descriptors, where that is possible

	MaxMessage int64 // bytes, after decompression
	SendQueue  int   // bytes
	Slow       Policy
	Limit      Limit

	PingInterval, PongTimeout time.Duration
	HandshakeTimeout          time.Duration // for the 101 to be written
	WriteTimeout              time.Duration
	CloseTimeout              time.Duration

	Level     int // of compression
	Threshold int // bytes of the smallest message that is compressed
}

// Counters count for all connections of a server.
type Counters struct {
	Sent, Received           atomic.Int64 // messages
	BytesSent, BytesReceived atomic.Int64
	Errors, Dropped, Slow    atomic.Int64
}

// Init makes c a connecting connection. jitter varies its heartbeat.
func (c *Conn) Init(cfg *Config, owner Owner, jitter byte) {
	c.cfg, c.owner, c.jitter, c.ending = cfg, owner, jitter, &notEnding
	if cfg.Client {
		c.inbox = newInbox(true)
	}
}

// Phase tells the stage of the connection's life.
func (c *Conn) Phase() Phase {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.phase
}

// LastActivity is when bytes arrived last.
func (c *Conn) LastActivity() time.Time { return c.cfg.Loop.Time(c.activity.Load()) }

// rareLocked is for writing to c.rare.
func (c *Conn) rareLocked() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}

// wake has the connection run for w. A run that is under way sees it.
func (c *Conn) wake(w work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked(w)
}

func (c *Conn) wakeLocked(w work) {
	if c.noteLocked(w) {
		c.cfg.Loop.Go(c)
	}
}

// noteLocked adds to what is pending, and reports whether the caller must see to a
// run.
func (c *Conn) noteLocked(w work) bool {
	c.pending |= w
	if c.run != atRest || c.dueLocked() == 0 {
		return false
	}
	c.run = queued
	return true
}

// dueLocked is what of the pending work can be done now.
func (c *Conn) dueLocked() work {
	todo := c.pending
	if c.in == inNotBegun {
		todo &^= workRead
	}
	if c.handling {
		todo &^= workEnd
	}
	return todo
}

// Readable is called by the transport. It is quickest to run in the goroutine that
// polls, but others wait: only handlers that have shown to be quick do.
func (c *Conn) Readable(w *loop.Worker) {
	c.mu.Lock()
	run := c.noteLocked(workRead)
	c.mu.Unlock()
	switch {
	case !run:
	case w != nil && c.pace.Inline():
		c.Run(w)
	default:
		c.cfg.Loop.Go(c)
	}
}

// Run does what is pending until nothing is, or once if others wait. It is called
// by the loop.
func (c *Conn) Run(w *loop.Worker) {
	todo := c.next(w)
	defer func() {
		if todo != 0 {
			c.exited(w, todo)
		}
	}()
	for todo != 0 {
		c.batch(w, todo)
		if w.Polls() {
			todo = 0
			c.rest()
		} else {
			todo = c.next(w)
		}
	}
}

// next takes what is pending; with nothing, the run is over.
func (c *Conn) next(w *loop.Worker) work {
	c.mu.Lock()
	defer c.mu.Unlock()
	todo := c.dueLocked()
	c.pending &^= todo
	if todo == 0 {
		c.run, c.worker = atRest, nil
	} else {
		c.run, c.worker = batching, w
	}
	return todo
}

// rest ends the run, and has a worker do what is pending.
func (c *Conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.run, c.worker = atRest, nil
	c.wakeLocked(0)
}

// batch does what is to be done, and writes at its end what that has queued.
func (c *Conn) batch(w *loop.Worker, todo work) {
	began := c.cfg.Loop.Now()
	w.Begin(c)
	await := c.work(todo)
	c.unhold()
	now := c.cfg.Loop.Now()
	w.End(now)
	c.keepPace(w, time.Duration(now-began))
	if await {
		c.link.AwaitRead()
	}
}

func (c *Conn) keepPace(w *loop.Worker, d time.Duration) {
	switch {
	case c.pace == nil:
	case w.Polls():
		c.pace.RanInline(d)
	default:
		c.pace.RanInWorker(d)
	}
}

// work reports whether the connection waits for more to read.
func (c *Conn) work(todo work) (await bool) {
	if todo&workError != 0 {
		c.tellErrors()
	}
	if todo&workInbox != 0 {
		c.drainInbox()
	}
	if todo&workRead != 0 {
		await = c.readAll()
	}
	if todo&workDrain != 0 {
		c.owner.Drained()
	}
	if todo&workEnd != 0 {
		c.tellEnd()
	}
	return await
}

// exited is for a callback that has ended its goroutine (runtime.Goexit) while todo
// was done. What had been read with its message is lost, so the connection ends.
func (c *Conn) exited(w *loop.Worker, todo work) {
	c.unhold()
	w.End(c.cfg.Loop.Now())
	w.EndTurn()
	c.mu.Lock()
	c.closeLocked(internalError, "internal error", true)
	c.pending |= todo &^ workDrain // whose callbacks would all run again
	c.run, c.worker = queued, nil
	c.mu.Unlock()
	c.Flush()
	c.cfg.Loop.Go(c)
}

// unhold ends the holding back of what the connection sends itself.
func (c *Conn) unhold() {
	c.mu.Lock()
	if c.run == batching {
		c.run = unheld
	}
	c.mu.Unlock()
	c.Flush()
}

// Relieved is called by the loop when the batch is slow. A handler that has kept the
// poller waiting has to show again that it is quick.
func (c *Conn) Relieved(polled bool) {
	c.unhold()
	if polled {
		c.pace.Relieved()
	}
}

// InCallback reports whether the caller is in a callback of the connection.
func (c *Conn) InCallback() bool {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	return w != nil && w.Runs(c)
}

// Hold has receivers of what a callback of the connection sends flushed when its
// batch ends. It reports false if there is no such batch.
func (c *Conn) Hold(receivers []loop.Flusher) bool {
	c.mu.Lock()
	w := c.worker
	c.mu.Unlock()
	return w != nil && w.Hold(c, receivers)
}

// Timer is the connection's place in the wheel.
func (c *Conn) Timer() *loop.Timer[*Conn] { return &c.timer }

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

// tellErrors tells the owner what was reported.
func (c *Conn) tellErrors() {
	for err := c.nextError(); err != nil; err = c.nextError() {
		c.owner.Failed(err)
	}
}

func (c *Conn) nextError() (err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare != nil && len(c.rare.errs) > 0 {
		err, c.rare.errs = c.rare.errs[0], c.rare.errs[1:]
	}
	return err
}
