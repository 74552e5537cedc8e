package loop

import (
	"time"

	"github.com/nextrush/nextrush/internal/poll"
)

const (
	monitorInterval = 2 * time.Millisecond // after which a batch may be slow
	monitorRounds   = 25                   // idle rounds before the monitor sleeps
)

// startMonitor wakes the monitor: a goroutine that looks every two milliseconds
// for batches that have not ended, as long as there are any.
func (l *Loop) startMonitor() {
	if l.monitoring.CompareAndSwap(false, true) {
		go l.monitor()
	}
}

func (l *Loop) monitor() {
	var seen []*Worker
	tick := time.NewTicker(monitorInterval)
	defer tick.Stop()
	for idle := 0; idle < monitorRounds && !l.empty(); {
		select {
		case <-tick.C:
		case <-l.last:
		}
		if !l.busy() {
			idle++
			continue
		}
		idle = 0
		seen = l.relieve(seen[:0])
	}
	l.monitoring.Store(false)
	if l.busy() && !l.empty() {
		l.startMonitor()
	}
}

func (l *Loop) busy() bool { return l.Batching() || l.poller.Busy() }

// relieve flushes for every batch that was there a round ago already, and has
// another goroutine poll if such a batch keeps one from it. It returns what it has
// used of seen.
func (l *Loop) relieve(seen []*Worker) []*Worker {
	l.poller.Relieve(func(t *poll.Turn) { t.Local.(*Worker).relievePolling() })
	l.mu.Lock()
	seen = append(seen, l.watched...)
	l.mu.Unlock()
	for _, w := range seen {
		if w.stale() {
			w.relieve(false)
		}
	}
	clear(seen)
	return seen
}

// stale reports whether the batch was there a round ago.
func (w *Worker) stale() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rounds++
	return w.rounds > 1
}

// relieve makes the batch a slow one: nothing is held back any more.
func (w *Worker) relieve(polled bool) {
	w.mu.Lock()
	if w.cur == nil || w.slow {
		w.mu.Unlock()
		return
	}
	w.slow = true
	w.unwatchLocked()
	r, held := w.cur, w.takeHeldLocked()
	w.mu.Unlock()
	w.loop.active.Add(-1)
	r.Relieved(polled)
	w.flush(held)
}

// relievePolling is relieve for a goroutine that has polled until now.
func (w *Worker) relievePolling() {
	w.mu.Lock()
	w.lost = true
	w.mu.Unlock()
	w.relieve(true)
}

// watchLocked has the monitor look at w.
func (w *Worker) watchLocked() {
	l := w.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	w.watched, w.index = true, len(l.watched)
	l.watched = append(l.watched, w)
}

func (w *Worker) unwatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.unwatchLocked()
}

func (w *Worker) unwatchLocked() {
	if !w.watched {
		return
	}
	l := w.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	last := len(l.watched) - 1
	moved := l.watched[last]
	l.watched[w.index], moved.index = moved, w.index
	l.watched[last] = nil
	l.watched = l.watched[:last]
	w.watched = false
}
