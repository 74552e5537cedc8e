package conn

import (
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/transport"
)

// run is a connection that runs: what only the goroutine of the run calls. It reads,
// takes what has arrived, and calls the owner.
type run struct{ c *Conn }

// wake has the connection run for w. A run that is under way sees it.
func (c *Conn) wake(w work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked(w)
}

func (c *Conn) wakeLocked(w work) {
	if c.runs.note(w) {
		c.cfg.Loop.Go(run{c})
	}
}

// Run does what is pending until nothing is, or once if others wait. It is called
// by the loop.
func (r run) Run(w *loop.Worker) {
	todo := r.next(w)
	defer func() {
		if todo != 0 {
			r.exited(w, todo)
		}
	}()
	for todo != 0 {
		r.batch(w, todo)
		if w.Polls() {
			todo = 0
			r.rest()
		} else {
			todo = r.next(w)
		}
	}
}

// next takes what is pending; with nothing, the run is over.
func (r run) next(w *loop.Worker) work {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if x := r.c.rare; x != nil {
		r.c.in.share(x.shared)
	}
	return r.c.runs.next(w)
}

// rest ends the run, and has a worker do what is pending.
func (r run) rest() {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	r.c.runs.rest()
	r.c.wakeLocked(0)
}

// batch does what is to be done, and writes at its end what that has queued.
func (r run) batch(w *loop.Worker, todo work) {
	began := r.c.cfg.Loop.Now()
	w.Begin(r)
	silent := r.work(todo)
	r.c.unhold()
	now := r.c.cfg.Loop.Now()
	w.End(now)
	r.keepPace(w, time.Duration(now-began))
	if silent != nil {
		silent.AwaitRead()
	}
}

func (r run) keepPace(w *loop.Worker, d time.Duration) {
	switch {
	case r.c.pace == nil:
	case w.Polls():
		r.c.pace.RanInline(d)
	default:
		r.c.pace.RanInWorker(d)
	}
}

// work returns the transport if it is to tell when there is more to read.
func (r run) work(todo work) (silent transport.Conn) {
	if todo&workError != 0 {
		r.tellErrors()
	}
	if todo&workInbox != 0 {
		r.drainInbox()
	}
	if todo&workRead != 0 {
		silent = r.readAll()
	}
	if todo&workDrain != 0 {
		r.c.owner.Drained()
	}
	if todo&workEnd != 0 {
		r.tellEnd()
	}
	return silent
}

// exited is for a callback that has ended its goroutine (runtime.Goexit) while todo
// was done. What had been read with its message is lost, so the connection ends.
func (r run) exited(w *loop.Worker, todo work) {
	r.c.unhold()
	w.End(r.c.cfg.Loop.Now())
	w.EndTurn()
	r.c.mu.Lock()
	r.c.closeLocked(internalError, "internal error", true)
	r.c.runs.again(todo &^ workDrain) // whose callbacks would all run again
	r.c.mu.Unlock()
	r.c.Flush()
	r.c.cfg.Loop.Go(r)
}

// unhold ends the holding back of what the connection sends itself.
func (c *Conn) unhold() {
	c.mu.Lock()
	c.runs.unhold()
	c.mu.Unlock()
	c.Flush()
}

// Relieved is called by the loop when the batch is slow. A handler that has kept the
// poller waiting has to show again that it is quick.
func (r run) Relieved(polled bool) {
	r.c.unhold()
	if polled {
		r.c.pace.Relieved()
	}
}

// InCallback reports whether the caller is in a callback of the connection.
func (c *Conn) InCallback() bool {
	c.mu.Lock()
	w := c.runs.worker
	c.mu.Unlock()
	return w != nil && w.Runs(run{c})
}

// Hold has receivers of what a callback of the connection sends flushed when its
// batch ends. It reports false if there is no such batch.
func (c *Conn) Hold(receivers []loop.Flusher) bool {
	c.mu.Lock()
	w := c.runs.worker
	c.mu.Unlock()
	return w != nil && w.Hold(run{c}, receivers)
}

// Timer is the connection's place in the wheel.
func (c *Conn) Timer() *loop.Timer[*Conn] { return &c.timer }

// tellErrors tells the owner what was reported.
func (r run) tellErrors() {
	for err := r.nextError(); err != nil; err = r.nextError() {
		r.c.owner.Failed(err)
	}
}

func (r run) nextError() (err error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if r.c.rare != nil && len(r.c.rare.errs) > 0 {
		err, r.c.rare.errs = r.c.rare.errs[0], r.c.rare.errs[1:]
	}
	return err
}

// tellEnd tells the owner the end, and then lets go of the loop. If a callback ends
// the goroutine, the next run tells the others.
func (r run) tellEnd() {
	r.c.mu.Lock()
	e := r.c.endingLocked()
	e.told = true
	r.c.mu.Unlock()
	r.c.owner.Ended()
	if !e.gone {
		e.gone = true
		r.c.in.drop()
		r.c.cfg.Loop.Remove()
		r.c.owner.Gone()
	}
}
