package websocket

import (
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/poll"
)

const (
	maxIdleWorkers  = 256                  // kept warm for the next socket that has bytes
	readBufferSize  = 68 << 10             // bytes of one read: a message of 64 KiB and its header fit
	monitorInterval = 2 * time.Millisecond // after which a callback counts as slow
	monitorRounds   = 25                   // idle rounds before the monitor sleeps
)

// engine runs sockets: workers that process what has arrived, a monitor that
// flushes for callbacks that take long, and the heartbeat wheel. Its
// goroutines exist only while it has sockets.
type engine struct {
	wheel  wheel
	poller *poll.Poller
	active atomic.Int64 // batches being processed that are not known to be slow

	mu      sync.Mutex // guards the fields below
	sockets int
	settler settler
	idle    []*worker // last in, first out: the warmest stack first
	watched []*worker // by the monitor: those whose batch may be slow and is not known to be

	monitoring atomic.Bool
	last       chan struct{} // the last socket has gone
	flusher    flusher
}

func newEngine() *engine {
	e := &engine{last: make(chan struct{}, 1)}
	e.wheel.init()
	e.poller = poll.New(runtime.GOMAXPROCS(0), e.pollingWorker, flushPolled)
	return e
}

// add counts a socket in; remove, which must follow once, counts it out.
func (e *engine) add() {
	e.mu.Lock()
	e.sockets++
	e.watchGrowth()
	e.mu.Unlock()
}

func (e *engine) remove() {
	e.mu.Lock()
	e.sockets--
	e.settler.sockets = min(e.settler.sockets, e.sockets)
	var stop []*worker
	if e.sockets == 0 {
		stop, e.idle = e.idle, nil
	}
	e.mu.Unlock()
	for _, w := range stop {
		close(w.task)
	}
	if e.empty() {
		select {
		case e.last <- struct{}{}:
		default:
		}
	}
}

// run gives f to a warm worker, or to a new one. It does not block.
func (e *engine) run(f task) {
	e.mu.Lock()
	if n := len(e.idle); n > 0 {
		w := e.idle[n-1]
		e.idle = e.idle[:n-1]
		e.mu.Unlock()
		w.task <- f
		return
	}
	e.mu.Unlock()
	w := &worker{eng: e, task: make(chan task, 1)}
	go w.loop(f)
}

// park puts w among the idle and reports whether it may wait for work.
func (e *engine) park(w *worker) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.sockets == 0 || len(e.idle) >= maxIdleWorkers {
		return false
	}
	e.idle = append(e.idle, w)
	return true
}

// watch has the monitor look at w; w.mu is held.
func (e *engine) watch(w *worker) {
	e.mu.Lock()
	defer e.mu.Unlock()
	w.watched, w.place = true, len(e.watched)
	e.watched = append(e.watched, w)
}

// unwatch ends that; w.mu is held.
func (e *engine) unwatch(w *worker) {
	if !w.watched {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	last := len(e.watched) - 1
	moved := e.watched[last]
	e.watched[w.place], moved.place = moved, w.place
	e.watched[last] = nil
	e.watched = e.watched[:last]
	w.watched = false
}

// task is what a worker does next: a function on a socket.
type task struct {
	s *Socket
	f func(*worker, *Socket)
}

// worker is a goroutine that has grown its stack, and lends it to one socket at
// a time; or the part of a goroutine that polls.
type worker struct {
	eng   *engine
	task  chan task
	polls bool   // it runs what the poller finds
	gid   string // tells the goroutine; of the goroutine itself until cur is set
	place int    // in engine.watched; guarded by the engine's mu

	mu      sync.Mutex // guards the fields below
	watched bool
	lost    bool      // another goroutine polls in its place
	cur     *Socket   // whose batch is running
	slow    bool      // the batch was found slow: nothing is held back any more
	rounds  int       // of the monitor since the batch began
	dirty   []*Socket // receivers of this batch's broadcasts, not flushed yet
	since   int64     // when the first of them came, on the wheel's clock
}

// loop runs one task after the other. A callback may end the goroutine.
func (w *worker) loop(t task) {
	defer w.end()
	for {
		t.f(w, t.s)
		if !w.eng.park(w) {
			return
		}
		var ok bool
		if t, ok = <-w.task; !ok {
			return
		}
	}
}

func (w *worker) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.eng.unwatch(w)
}

// beginBatch opens a batch of s: what its callbacks send is held back until endBatch.
func (w *worker) beginBatch(s *Socket) {
	w.eng.active.Add(1)
	if w.gid == "" {
		w.gid = goroutine()
	}
	w.mu.Lock()
	w.cur, w.slow, w.rounds = s, false, 0
	if !w.watched && (!w.polls || w.lost) {
		w.eng.watch(w)
	}
	w.mu.Unlock()
	if !w.eng.monitoring.Load() {
		w.eng.startMonitor()
	}
}

// endBatch closes the batch and flushes the receivers of its broadcasts; where it
// polls, those of all the sockets found at once are flushed together, or after
// two milliseconds. The socket's own queue is flushed by the caller.
func (w *worker) endBatch(now int64) {
	w.mu.Lock()
	slow := w.slow
	w.cur = nil
	var dirty []*Socket
	if !w.polls || slow || now-w.since > int64(monitorInterval) {
		dirty = w.takeDirty()
	}
	w.mu.Unlock()
	if !slow {
		w.eng.active.Add(-1)
	}
	w.flushAll(dirty)
}

// runs reports whether the caller is in a callback of s that w runs.
func (w *worker) runs(s *Socket) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cur == s && w.gid == goroutine()
}

// goroutine is what tells the caller's goroutine from others, "goroutine 7". It
// takes a microsecond.
func goroutine() string {
	var buf [32]byte
	text, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), " [")
	return text
}

// hold takes receivers to flush when the batch of s ends, and reports false
// if that batch does not run here or is slow.
func (w *worker) hold(s *Socket, receivers []*Socket) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cur != s || w.slow {
		return false
	}
	if len(w.dirty) == 0 {
		w.since = w.eng.wheel.now()
	}
	w.dirty = append(w.dirty, receivers...)
	return true
}

func (w *worker) takeDirty() []*Socket {
	dirty := w.dirty
	w.dirty = nil
	return dirty
}

func (w *worker) flushAll(dirty []*Socket) {
	if dirty == nil {
		return
	}
	for i, r := range dirty {
		r.flush()
		dirty[i] = nil
	}
	w.mu.Lock()
	if w.dirty == nil && cap(dirty) <= 1<<14 {
		w.dirty = dirty[:0]
	}
	w.mu.Unlock()
}

// startMonitor wakes the monitor: a goroutine that looks every two
// milliseconds for batches that have not ended, as long as there are any.
func (e *engine) startMonitor() {
	if e.monitoring.CompareAndSwap(false, true) {
		go e.monitor()
	}
}

func (e *engine) monitor() {
	var seen []*worker
	tick := time.NewTicker(monitorInterval)
	defer tick.Stop()
	for idle := 0; idle < monitorRounds && !e.empty(); {
		select {
		case <-tick.C:
		case <-e.last:
		}
		if !e.busy() {
			idle++
			continue
		}
		idle = 0
		seen = e.relieve(seen[:0])
	}
	e.monitoring.Store(false)
	if e.busy() && !e.empty() {
		e.startMonitor()
	}
}

func (e *engine) busy() bool { return e.active.Load() > 0 || e.poller.Busy() }

func (e *engine) empty() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sockets == 0
}

// relieve flushes for every batch that was there a round ago already, and has
// another goroutine poll where such a batch keeps one from it. It returns what
// it has used of seen.
func (e *engine) relieve(seen []*worker) []*worker {
	e.poller.Relieve(func(t *poll.Turn) { t.Local.(*worker).relievePolling() })
	e.mu.Lock()
	seen = append(seen, e.watched...)
	e.mu.Unlock()
	for _, w := range seen {
		if w.stale() {
			w.relieve()
		}
	}
	clear(seen)
	return seen
}

// stale reports whether the batch was there a round ago.
func (w *worker) stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rounds++
	return w.rounds > 1
}

// relieve makes the batch a slow one: nothing is held back any more. It returns
// the socket whose batch that is, or nil.
func (w *worker) relieve() *Socket {
	w.mu.Lock()
	if w.cur == nil || w.slow {
		w.mu.Unlock()
		return nil
	}
	w.slow = true
	w.eng.unwatch(w)
	s, dirty := w.cur, w.takeDirty()
	w.mu.Unlock()
	w.eng.active.Add(-1)
	s.stopBatch()
	w.flushAll(dirty)
	return s
}

// relievePolling is relieve for a goroutine that has polled until now. The
// handler of the socket has to show again that it is quick.
func (w *worker) relievePolling() {
	w.mu.Lock()
	w.lost = true
	w.mu.Unlock()
	if s := w.relieve(); s != nil {
		s.pace.Relieved()
	}
}

// pollingWorker makes the worker of a goroutine that polls.
func (e *engine) pollingWorker() any { return &worker{eng: e, polls: true} }

// flushPolled ends a round of the poller: receivers of broadcasts are flushed.
func flushPolled(t *poll.Turn) {
	t.Local.(*worker).endTurn()
}

func (w *worker) endTurn() {
	w.mu.Lock()
	w.eng.unwatch(w)
	dirty := w.takeDirty()
	w.mu.Unlock()
	w.flushAll(dirty)
}

// flusher writes for broadcasts that have no socket of origin. On a busy
// processor it runs when the batch that produced them yields, so that several
// of them leave together.
type flusher struct {
	mu      sync.Mutex // guards the fields below
	waiting []*Socket
	running bool
}

func (f *flusher) add(receivers []*Socket) {
	f.mu.Lock()
	f.waiting = append(f.waiting, receivers...)
	start := !f.running
	f.running = true
	f.mu.Unlock()
	if start {
		go f.loop()
	}
}

func (f *flusher) loop() {
	for {
		f.mu.Lock()
		list := f.waiting
		f.waiting = nil
		f.running = len(list) > 0
		f.mu.Unlock()
		if len(list) == 0 {
			return
		}
		for _, s := range list {
			s.flush()
		}
	}
}
