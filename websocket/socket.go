package websocket

import (
	"context"
	"encoding/base64"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
	"unique"
)

// State is the stage of a socket's life.
type State uint8

const (
	StateConnecting State = iota // before the 101
	StateOpen                    // messages go both ways
	StateClosing                 // a close frame was sent or received
	StateClosed                  // nothing is sent or received any more
)

func (s State) String() string {
	return [...]string{"connecting", "open", "closing", "closed"}[s]
}

// Socket is one WebSocket connection, of a server or of a client. All methods
// are safe from any goroutine. Sends before the 101 are queued, joins take
// effect on it.
type Socket struct {
	srv    *Server
	link   link
	id     [16]byte
	ip     string
	path   string
	told   unique.Handle[told]
	base   context.Context // the request's values
	opened int64           // Unix milliseconds

	activity atomic.Int64 // when bytes arrived last, on the wheel's clock
	wheel    wheelNode
	place    int32 // guarded by the hub
	ends     atomic.Int32
	client   bool
	ahead    bool  // there is extra.early; of the goroutine that runs the socket
	slow     uint8 // how many runs more are not made where we poll; of the goroutine that runs the socket

	mu       sync.Mutex // guards the fields below
	state    State
	pending  work // for the next run
	running  bool // a worker is processing this socket
	batching bool // what callbacks send is held back for the end of the batch
	dirty    bool // in a list of sockets to be flushed
	reading  bool // reading has begun
	paused   bool // a run has stopped before all was read
	handling bool // the handler has not returned
	worker   *worker
	closing  *closing // &unclosed until it begins
	writer
	timers
	inbox   *inbox
	rooms   *membership // the first
	values  map[string]any
	life    *life  // nil until its context is used
	codec   *codec // permessage-deflate; nil where it was not agreed on
	events  *events
	extra   *extra
	upgrade *pendingUpgrade // until the 101

	onMessage atomic.Pointer[func(Message)]

	read *reader // nil between messages; of the goroutine that runs the socket
}

// told is what the handshake said and many sockets have in common, who share it.
type told struct{ userAgent, origin, protocol string }

// extra is what few sockets have.
type extra struct {
	early []byte // read and not processed: with the handshake, or while the inbox was full

	close []func(StatusCode, string)
	err   []func(error)
	ping  []func([]byte)
	pong  []func([]byte)
	drain []func()
}

// work is a set of reasons to run a socket.
type work uint8

const (
	workRead   work = 1 << iota // bytes may be there
	workInbox                   // a consumer has come for what waits
	workDrain                   // the queue has emptied
	workClosed                  // the end is to be told
)

// ID is 128 random bits in base64url, 22 characters.
func (s *Socket) ID() string { return base64.RawURLEncoding.EncodeToString(s.id[:]) }

// IP is the client's address without port; see Options.ClientIP.
func (s *Socket) IP() string { return s.ip }

// UserAgent is the header of that name in the handshake.
func (s *Socket) UserAgent() string { return s.told.Value().userAgent }

// Origin is the header of that name in the handshake; empty from a client that
// is no browser.
func (s *Socket) Origin() string { return s.told.Value().origin }

// Protocol is the subprotocol agreed on, or empty.
func (s *Socket) Protocol() string { return s.told.Value().protocol }

// Path is the path of the request.
func (s *Socket) Path() string { return s.path }

// State tells the stage of the socket's life.
func (s *Socket) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// ConnectedAt is when the handshake arrived.
func (s *Socket) ConnectedAt() time.Time { return time.UnixMilli(s.opened) }

// LastActivity is when bytes arrived last.
func (s *Socket) LastActivity() time.Time {
	return s.srv.engine.wheel.start.Add(time.Duration(s.activity.Load()))
}

// RTT is the time between the last ping of the heartbeat and its pong; 0
// before the first.
func (s *Socket) RTT() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rtt)
}

// Buffered is the number of bytes that wait to be written.
func (s *Socket) Buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.out == nil {
		return 0
	}
	return s.out.bytes
}

// Set keeps a value with the socket.
func (s *Socket) Set(key string, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.values == nil {
		s.values = make(map[string]any, 1)
	}
	s.values[key] = value
}

// Get returns the value that Set kept, or nil.
func (s *Socket) Get(key string) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.values[key]
}

// OnMessage has f called with every message that is no event. Set nil to stop.
// The message is borrowed until f returns.
func (s *Socket) OnMessage(f func(Message)) {
	if f == nil {
		s.onMessage.Store(nil)
		return
	}
	s.onMessage.Store(&f)
	s.consume()
}

// OnClose has f called once when the socket has ended, after the handler
// returned and all messages were handled: with the peer's code where it closed
// first, with ours where we did, with 1006 where the connection was lost.
func (s *Socket) OnClose(f func(code StatusCode, reason string)) {
	s.mu.Lock()
	late := s.closing.told
	if !late {
		x := s.extras()
		x.close = append(x.close, f)
	}
	code, reason := s.closing.code, s.closing.reason
	s.mu.Unlock()
	if late {
		s.protect(func() { f(code, reason) })
	}
}

// OnError has f called with failures of this socket: lost connections,
// protocol errors of the peer, panics and errors of handlers.
func (s *Socket) OnError(f func(error)) { s.with(func(x *extra) { x.err = append(x.err, f) }) }

// OnPing has f called with the payload of every ping; the pong is sent anyway.
func (s *Socket) OnPing(f func([]byte)) { s.with(func(x *extra) { x.ping = append(x.ping, f) }) }

// OnPong has f called with the payload of every pong.
func (s *Socket) OnPong(f func([]byte)) { s.with(func(x *extra) { x.pong = append(x.pong, f) }) }

// OnDrain has f called when the send queue has emptied after the peer had been
// too slow to take it at once.
func (s *Socket) OnDrain(f func()) { s.with(func(x *extra) { x.drain = append(x.drain, f) }) }

func (s *Socket) with(f func(*extra)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.extras())
}

func (s *Socket) extras() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	return s.extra
}

func (s *Socket) log() *slog.Logger { return s.srv.opts.Logger.With("socket", s.ID()) }

// schedule runs the socket for w, unless it is running: then that run sees it.
func (s *Socket) schedule(w work) {
	if s.note(w) {
		s.srv.engine.run(task{s, runSocket})
	}
}

// note adds to what is pending, and reports whether the caller is to run the
// socket for that.
func (s *Socket) note(w work) (run bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending |= w
	if s.running || s.due() == 0 {
		return false
	}
	s.running = true
	return true
}

// due is what of the pending work can be done now; s.mu is held.
func (s *Socket) due() work {
	todo := s.pending
	if !s.reading {
		todo &^= workRead
	}
	if s.handling {
		todo &^= workClosed // told when the handler has returned
	}
	return todo
}

// readable is called by the driver when there is something to read.
func (s *Socket) readable() { s.schedule(workRead) }

const (
	slowRun  = 200 * time.Microsecond // of a socket, that others have waited for
	slowRuns = 64                     // that follow one, at most, in another goroutine
)

// readableHere is readable in a goroutine that polls. It is quickest to run the
// socket here, but others wait: one that was slow runs elsewhere for a while.
func (s *Socket) readableHere(w *worker) {
	if !s.note(workRead) {
		return
	}
	if s.slow == 0 {
		runSocket(w, s)
		return
	}
	s.slow--
	s.srv.engine.run(task{s, runSocket})
}

// runSocket does what is pending until nothing is. Callbacks run here and
// nowhere else, so they run one at a time.
func runSocket(w *worker, s *Socket) {
	for {
		todo := s.next(w)
		if todo == 0 {
			return
		}
		began := s.srv.engine.wheel.now()
		w.begin(s)
		await := s.work(w, todo)
		s.stopBatch()
		now := s.srv.engine.wheel.now()
		if now-began > int64(slowRun) {
			s.slow = slowRuns
		}
		w.end(now)
		if await {
			s.link.awaitRead()
		}
		if w.polls { // others wait
			s.passOn()
			return
		}
	}
}

// next takes what is pending; with nothing, the socket is no longer running.
func (s *Socket) next(w *worker) work {
	s.mu.Lock()
	defer s.mu.Unlock()
	todo := s.due()
	s.pending &^= todo
	s.running = todo != 0
	if s.running {
		s.batching, s.worker = true, w
	}
	return todo
}

// passOn has another goroutine do what is pending.
func (s *Socket) passOn() {
	s.mu.Lock()
	s.running = s.due() != 0
	rest := s.running
	s.mu.Unlock()
	if rest {
		s.srv.engine.run(task{s, runSocket})
	}
}

// work reports whether the socket waits for more to read.
func (s *Socket) work(w *worker, todo work) (await bool) {
	if todo&workInbox != 0 {
		s.drainInbox()
	}
	if todo&workRead != 0 {
		await = s.readAll(w)
	}
	if todo&workDrain != 0 {
		s.drained()
	}
	if todo&workClosed != 0 {
		s.tellClosed()
	}
	return await
}

// stopBatch ends the holding back of the socket's own sends.
func (s *Socket) stopBatch() {
	s.mu.Lock()
	s.batching, s.worker = false, nil
	s.mu.Unlock()
	s.flush()
}

// protect runs a callback; a panic in it closes the socket with 1011.
func (s *Socket) protect(f func()) {
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
		}
	}()
	f()
}

// host strips the port of an address.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
