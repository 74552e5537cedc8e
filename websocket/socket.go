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

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/hub"
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
	link   transport.Conn
	id     [16]byte
	ip     string
	path   string
	told   unique.Handle[told]
	base   context.Context // the request's values
	opened int64           // Unix milliseconds
	pace   *pace.Pace      // of the handler; nil: never run where we poll

	activity atomic.Int64 // when bytes arrived last, on the wheel's clock
	timer    loop.Timer[*looped]
	index    int32 // guarded by the server's crowd
	client   bool
	ahead    bool // there is extra.early; of the goroutine that runs the socket

	mu       sync.Mutex // guards the fields below
	state    State
	pending  work         // for the next run
	running  bool         // a worker is processing this socket
	batching bool         // what callbacks send is held back for the end of the batch
	dirty    bool         // in a list of sockets to be flushed
	reading  bool         // reading has begun
	paused   bool         // a run has stopped before all was read
	handling bool         // the handler has not returned
	worker   *loop.Worker // of the run; nil: none
	closing  *closing     // &unclosed until it begins
	writer
	timers
	inbox   *inbox
	rooms   hub.Rooms[*Socket]
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
	early []byte  // read and not processed: with the handshake, or while the inbox was full
	errs  []error // that OnError is still to be told

	close []func(StatusCode, string) // taken when they are called
	err   []func(error)
	ping  []func([]byte)
	pong  []func([]byte)
	drain []func()
}

// looped is a socket as the loop sees it.
type looped Socket

func (s *looped) Run(w *loop.Worker)          { (*Socket)(s).run(w) }
func (s *looped) Flush()                      { (*Socket)(s).flush() }
func (s *looped) Timer() *loop.Timer[*looped] { return &s.timer }
func (s *looped) Tick(now int64) (next int64) { return (*Socket)(s).tick(now) }

// Relieved writes what was held back. A handler that kept the poller waiting has to
// show again that it is quick.
func (s *looped) Relieved(polled bool) {
	(*Socket)(s).stopBatch()
	if polled {
		s.pace.Relieved()
	}
}

// taskFunc is a function as a task.
type taskFunc func()

func (f taskFunc) Run(*loop.Worker) { f() }

// work is a set of reasons to run a socket.
type work uint8

const (
	workError  work = 1 << iota // errors are to be told
	workRead                    // bytes may be there
	workInbox                   // a consumer has come for what waits
	workDrain                   // the queue has emptied
	workClosed                  // the socket has left everything: the end is to be told
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
	return s.srv.loop.Time(s.activity.Load())
}

// RTT is the time between the last ping of the heartbeat and its pong; 0
// before the first.
func (s *Socket) RTT() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return time.Duration(s.rtt)
}

// Buffered is the number of bytes that wait to be written, those that a callback
// has sent and that leave at its end among them. Where it is not 0, OnDrain runs
// when the queue has emptied.
func (s *Socket) Buffered() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.bufferedLocked()
	s.backlog = s.backlog || n > 0
	return n
}

func (s *Socket) bufferedLocked() int {
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

// OnMessage registers f to run with every message that is not an event. Set nil
// to stop.
// The message is borrowed until f returns.
func (s *Socket) OnMessage(f func(Message)) {
	if f == nil {
		s.onMessage.Store(nil)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onMessage.Store(&f)
	s.consumeLocked()
}

// OnClose registers f to run once when the socket has ended, after the handler
// has returned and all messages were handled: with the peer's code where it
// closed first, with ours where we did, with 1006 where the connection was lost.
// The socket has left its rooms and the server's list by then; Rooms still tells
// which rooms it was in. On a socket that has ended f runs soon.
func (s *Socket) OnClose(f func(code StatusCode, reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.extrasLocked()
	x.close = append(x.close, f)
	if s.closing.told {
		s.wakeLocked(workClosed)
	}
}

// OnError registers f to run with failures of this socket: lost connections,
// protocol errors of the peer, panics and errors of handlers. It runs as the
// other callbacks do, one at a time, and never inside a call of the program's.
func (s *Socket) OnError(f func(error)) { s.with(func(x *extra) { x.err = append(x.err, f) }) }

// OnPing registers f to run with the payload of every ping; the pong is sent anyway.
func (s *Socket) OnPing(f func([]byte)) { s.with(func(x *extra) { x.ping = append(x.ping, f) }) }

// OnPong registers f to run with the payload of every pong.
func (s *Socket) OnPong(f func([]byte)) { s.with(func(x *extra) { x.pong = append(x.pong, f) }) }

// OnDrain registers f to run when the send queue has emptied after the peer had
// been too slow to take it at once, or after Buffered had told that bytes wait.
func (s *Socket) OnDrain(f func()) { s.with(func(x *extra) { x.drain = append(x.drain, f) }) }

func (s *Socket) with(f func(*extra)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f(s.extrasLocked())
}

func (s *Socket) extrasLocked() *extra {
	if s.extra == nil {
		s.extra = new(extra)
	}
	return s.extra
}

func (s *Socket) log() *slog.Logger { return s.srv.opts.Logger.With("socket", s.ID()) }

// debug is for Options.Debug, which is to be seen with any logger.
func (s *Socket) debug(text string, attrs ...any) {
	level := slog.LevelDebug
	if !s.srv.opts.Logger.Enabled(context.Background(), level) {
		level = slog.LevelInfo
	}
	s.log().Log(context.Background(), level, text, attrs...)
}

// wake has the socket run for w. A run that is under way sees it.
func (s *Socket) wake(w work) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wakeLocked(w)
}

func (s *Socket) wakeLocked(w work) {
	if s.noteLocked(w) {
		s.srv.loop.Go((*looped)(s))
	}
}

// noteLocked adds to what is pending, and reports whether the caller must have
// the socket run for it.
func (s *Socket) noteLocked(w work) (run bool) {
	s.pending |= w
	if s.running || s.dueLocked() == 0 {
		return false
	}
	s.running = true
	return true
}

// dueLocked is what of the pending work can be done now.
func (s *Socket) dueLocked() work {
	todo := s.pending
	if !s.reading {
		todo &^= workRead
	}
	if s.handling {
		todo &^= workClosed // told when the handler has returned
	}
	return todo
}

// moved is a socket as its transport sees it.
type moved Socket

// Readable notes that there is something to read. It is quickest to run the socket
// in the goroutine that polls, but others wait: only handlers that have shown to be
// quick do.
func (m *moved) Readable(w *loop.Worker) {
	s := (*Socket)(m)
	s.mu.Lock()
	run := s.noteLocked(workRead)
	s.mu.Unlock()
	switch {
	case !run:
	case w != nil && s.pace.Inline():
		s.run(w)
	default:
		s.srv.loop.Go((*looped)(s))
	}
}

func (m *moved) Progress()                { (*Socket)(m).progress() }
func (m *moved) Written(n int, err error) { (*Socket)(m).written(n, err) }
func (m *moved) Failed()                  { (*Socket)(m).failedUnread() }

// run does what is pending until nothing is. Callbacks run here and
// nowhere else, so they run one at a time.
func (s *Socket) run(w *loop.Worker) {
	todo := s.next(w)
	defer func() {
		if todo != 0 {
			s.goOnElsewhere(w, todo)
		}
	}()
	for todo != 0 {
		s.batch(w, todo)
		if w.Polls() { // others wait
			s.passOn()
			todo = 0
		} else {
			todo = s.next(w)
		}
	}
}

// batch does what is to be done, and writes at its end what that has queued.
func (s *Socket) batch(w *loop.Worker, todo work) {
	began := s.srv.loop.Now()
	w.Begin((*looped)(s))
	await := s.work(todo)
	s.stopBatch()
	now := s.srv.loop.Now()
	w.End(now)
	s.keepPace(w, time.Duration(now-began))
	if await {
		s.link.AwaitRead()
	}
}

func (s *Socket) keepPace(w *loop.Worker, d time.Duration) {
	switch {
	case s.pace == nil:
	case w.Polls():
		s.pace.RanInline(d)
	default:
		s.pace.RanInWorker(d)
	}
}

// goOnElsewhere is for a callback that ends its goroutine (runtime.Goexit) while
// todo is done. What had been read with its message is lost, so the connection ends.
func (s *Socket) goOnElsewhere(w *loop.Worker, todo work) {
	s.stopBatch()
	w.End(s.srv.loop.Now())
	w.EndTurn()
	s.mu.Lock()
	s.startClose(StatusInternalError, internalError, true)
	s.pending |= todo &^ workDrain // whose callbacks would all run again
	s.mu.Unlock()
	s.flush()
	s.srv.loop.Go((*looped)(s))
}

// next takes what is pending; with nothing, the socket is no longer running.
func (s *Socket) next(w *loop.Worker) work {
	s.mu.Lock()
	defer s.mu.Unlock()
	todo := s.dueLocked()
	s.pending &^= todo
	s.running = todo != 0
	s.worker = nil
	if s.running {
		s.batching, s.worker = true, w
	}
	return todo
}

// inCallback reports whether the caller is in a callback of the socket.
func (s *Socket) inCallback() bool {
	s.mu.Lock()
	w := s.worker
	s.mu.Unlock()
	return w != nil && w.Runs((*looped)(s))
}

// passOn has another goroutine do what is pending.
func (s *Socket) passOn() {
	s.mu.Lock()
	s.worker = nil
	s.running = s.dueLocked() != 0
	rest := s.running
	s.mu.Unlock()
	if rest {
		s.srv.loop.Go((*looped)(s))
	}
}

// work reports whether the socket waits for more to read.
func (s *Socket) work(todo work) (await bool) {
	if todo&workError != 0 {
		s.tellErrors()
	}
	if todo&workInbox != 0 {
		s.drainInbox()
	}
	if todo&workRead != 0 {
		await = s.readAll()
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
	s.batching = false
	s.mu.Unlock()
	s.flush()
}

// protect runs a callback. One that panics, or ends its goroutine, closes the
// socket with 1011.
func (s *Socket) protect(f func()) {
	returned := false
	defer func() {
		if v := recover(); v != nil {
			s.panicked(v)
		} else if !returned {
			s.exited()
		}
	}()
	f()
	returned = true
}

// host strips the port of an address.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
