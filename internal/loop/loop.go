package loop

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/poll"
)

const maxIdleWorkers = 256 // kept warm for the next task

// Task is something to run in a worker. It may end its goroutine.
type Task interface{ Run(*Worker) }

// Loop runs tasks for connections. All methods are safe from any goroutine, and
// none of them blocks.
type Loop struct {
	Clock
	poller *poll.Poller
	active atomic.Int64 // batches that run and are not known to be slow

	mu      sync.Mutex // guards the fields below
	conns   int
	settler settler
	idle    []*Worker // last in, first out: the warmest stack first
	watched []*Worker // by the monitor: those whose batch may be slow and is not known to be

	monitoring atomic.Bool
	last       chan struct{} // the last connection has gone
	flusher    flusher
}

// New makes a loop without connections.
func New() *Loop {
	l := &Loop{Clock: Clock{time.Now()}, last: make(chan struct{}, 1)}
	l.poller = poll.New(runtime.GOMAXPROCS(0), l.pollingWorker, flushPolled)
	return l
}

// Poller is where descriptors are polled. The Local of its turns is a *Worker.
func (l *Loop) Poller() *poll.Poller { return l.poller }

// Add counts a connection in; Remove, which must follow once, counts it out.
func (l *Loop) Add() {
	l.mu.Lock()
	l.conns++
	l.watchGrowthLocked()
	l.mu.Unlock()
}

// Remove counts a connection out.
func (l *Loop) Remove() {
	l.mu.Lock()
	l.conns--
	l.settler.conns = min(l.settler.conns, l.conns)
	var stop []*Worker
	if l.conns == 0 {
		stop, l.idle = l.idle, nil
	}
	l.mu.Unlock()
	for _, w := range stop {
		close(w.task)
	}
	if l.empty() {
		select {
		case l.last <- struct{}{}:
		default:
		}
	}
}

func (l *Loop) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conns == 0
}

// Go gives t to a warm worker, or to a new one.
func (l *Loop) Go(t Task) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		w := l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		w.task <- t
		return
	}
	l.mu.Unlock()
	w := &Worker{loop: l, task: make(chan Task, 1)}
	go w.run(t)
}

// park puts w among the idle and reports whether it may wait for work.
func (l *Loop) park(w *Worker) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conns == 0 || len(l.idle) >= maxIdleWorkers {
		return false
	}
	l.idle = append(l.idle, w)
	return true
}

// Batching reports whether a batch runs that is not known to be slow.
func (l *Loop) Batching() bool { return l.active.Load() > 0 }

// Clock tells the time since something began.
type Clock struct{ start time.Time }

// Now is that time in nanoseconds, and never 0.
func (c Clock) Now() int64 { return int64(time.Since(c.start)) + 1 }

// Time is the wall clock's time at now.
func (c Clock) Time(now int64) time.Time { return c.start.Add(time.Duration(now)) }
