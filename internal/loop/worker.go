package loop

import (
	"runtime"
	"strings"
	"sync"

	"github.com/nextrush/nextrush/internal/poll"
)

// Runner is a connection that tasks run batches for. Runners are compared.
type Runner interface {
	// Relieved tells that the batch has been found slow, and that what it has held
	// back is to be written now. polled: its goroutine polled until now.
	Relieved(polled bool)
}

// Flusher is a connection that has something to write.
type Flusher interface{ Flush() }

// Worker is a goroutine that has grown its stack, and lends it to one connection
// at a time; or the part of a goroutine that polls.
type Worker struct {
	loop  *Loop
	task  chan Task
	turn  *poll.Turn // of a goroutine that polls; nil: it does not
	gid   string     // tells the goroutine; of the goroutine itself until cur is set
	index int        // in Loop.watched; guarded by the loop's mu
	last  int64      // when the last batch of this round ended, on the loop's clock; 0: there was none

	mu      sync.Mutex // guards the fields below
	watched bool
	lost    bool      // another goroutine polls instead
	cur     Runner    // whose batch is running; nil: none
	slow    bool      // the batch was found slow: nothing is held back any more
	rounds  int       // of the monitor since the batch began
	held    []Flusher // receivers of this batch's broadcasts, not flushed yet
	since   int64     // when the first of them came, on the loop's clock
}

// run runs one task after the other. One of them may end the goroutine.
func (w *Worker) run(t Task) {
	defer w.unwatch()
	for {
		t.Run(w)
		if !w.loop.park(w) {
			return
		}
		var ok bool
		if t, ok = <-w.task; !ok {
			return
		}
	}
}

// Polls reports whether the goroutine polls, so that others wait for it.
func (w *Worker) Polls() bool { return w.turn != nil }

// Leave has another goroutine poll before the caller's waits, for whoever w runs a batch
// of. What the batch has held back is written, and its Runner is relieved.
func (w *Worker) Leave() {
	if w.turn != nil && w.turn.Leave() {
		w.relievePolling()
	}
}

// Begin opens a batch of r: what its callbacks send is held back until End.
func (w *Worker) Begin(r Runner) {
	w.loop.active.Add(1)
	if w.gid == "" {
		w.gid = goroutine()
	}
	w.mu.Lock()
	w.cur, w.slow, w.rounds = r, false, 0
	if !w.watched && (w.turn == nil || w.lost) {
		w.watchLocked()
	}
	w.mu.Unlock()
	if !w.loop.monitoring.Load() {
		w.loop.startMonitor()
	}
}

// Now is the loop's clock, read when the batch before ended if that was just now.
func (w *Worker) Now() int64 {
	if w.last != 0 {
		return w.last
	}
	return w.loop.Now()
}

// End closes the batch and flushes the receivers of its broadcasts. If w polls,
// those of all connections found at once are flushed together, or after two
// milliseconds. What the connection itself has to write is up to the caller.
func (w *Worker) End(now int64) {
	w.mu.Lock()
	slow := w.slow
	w.cur = nil
	if w.turn != nil {
		w.last = now
	}
	var held []Flusher
	if w.turn == nil || slow || now-w.since > int64(monitorInterval) {
		held = w.takeHeldLocked()
	}
	w.mu.Unlock()
	if !slow {
		w.loop.active.Add(-1)
	}
	w.flush(held)
}

// EndTurn ends what End has left for later: w polled, and has found no more.
func (w *Worker) EndTurn() {
	w.mu.Lock()
	w.last = 0
	w.unwatchLocked()
	held := w.takeHeldLocked()
	w.mu.Unlock()
	w.flush(held)
}

// Runs reports whether the caller is in a batch of r that w runs.
func (w *Worker) Runs(r Runner) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cur == r && w.gid == goroutine()
}

// goroutine is what tells the caller's goroutine from others, "goroutine 7". It
// takes a microsecond.
func goroutine() string {
	var buf [32]byte
	text, _, _ := strings.Cut(string(buf[:runtime.Stack(buf[:], false)]), " [")
	return text
}

// Hold takes receivers to flush when the batch of r ends, and reports false if
// that batch does not run here or is slow. Otherwise the list is w's from then on.
func (w *Worker) Hold(r Runner, receivers []Flusher) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cur != r || w.slow {
		return false
	}
	if len(w.held) == 0 {
		w.since = w.loop.Now()
	}
	w.held = joined(w.held, receivers)
	return true
}

// Keep takes what the connection of the batch has to write, to be flushed with that of the
// other connections of the round: a peer that reads is woken once for several. It reports
// false if the connection is to be flushed at once.
func (w *Worker) Keep(f Flusher, now int64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.turn == nil || w.lost || w.slow {
		return false
	}
	if len(w.held) == 0 {
		w.since = now
	}
	w.held = append(w.held, f)
	return true
}

func (w *Worker) takeHeldLocked() []Flusher {
	held := w.held
	w.held = nil
	return held
}

// flush flushes held, and keeps the list for the next ones.
func (w *Worker) flush(held []Flusher) {
	if held == nil {
		return
	}
	for i, r := range held {
		r.Flush()
		held[i] = nil
	}
	w.mu.Lock()
	if w.held == nil && cap(held) <= 1<<14 {
		w.held = held[:0]
	}
	w.mu.Unlock()
}

// pollingWorker makes the worker of a goroutine that polls.
func (l *Loop) pollingWorker(t *poll.Turn) any { return &Worker{loop: l, turn: t} }

// flushPolled ends a round of the poller.
func flushPolled(t *poll.Turn) { t.Local.(*Worker).EndTurn() }
