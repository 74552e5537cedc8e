package conn

import (
	"time"

	"github.com/nextrush/nextrush/internal/loop"
)

// wake has the connection run for w. A run that is under way sees it.
func (c *Conn) wake(w work) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.wakeLocked(w)
}

func (c *Conn) wakeLocked(w work) {
	if c.runs.note(w) {
		c.cfg.Loop.Go(c)
	}
}

// Readable is called by the transport. It is quickest to run in the goroutine that
// polls, but others wait: only handlers that have shown to be quick do.
func (c *Conn) Readable(w *loop.Worker) {
	c.mu.Lock()
	run := c.runs.note(workRead)
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
	return c.runs.next(w)
}

// rest ends the run, and has a worker do what is pending.
func (c *Conn) rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs.rest()
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
	c.runs.again(todo &^ workDrain) // whose callbacks would all run again
	c.mu.Unlock()
	c.Flush()
	c.cfg.Loop.Go(c)
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
func (c *Conn) Relieved(polled bool) {
	c.unhold()
	if polled {
		c.pace.Relieved()
	}
}

// InCallback reports whether the caller is in a callback of the connection.
func (c *Conn) InCallback() bool {
	c.mu.Lock()
	w := c.runs.worker
	c.mu.Unlock()
	return w != nil && w.Runs(c)
}

// Hold has receivers of what a callback of the connection sends flushed when its
// batch ends. It reports false if there is no such batch.
func (c *Conn) Hold(receivers []loop.Flusher) bool {
	c.mu.Lock()
	w := c.runs.worker
	c.mu.Unlock()
	return w != nil && w.Hold(c, receivers)
}

// Timer is the connection's place in the wheel.
func (c *Conn) Timer() *loop.Timer[*Conn] { return &c.timer }
