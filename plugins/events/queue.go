package events

import (
	"context"
	"fmt"
	"sync"
)

const defaultQueue = 1024 // events

// queue runs jobs in goroutines that end when there is nothing to do.
type queue struct {
	size    int
	workers int
	ctx     context.Context // ends when the time for stopping is up
	cancel  context.CancelFunc
	running sync.WaitGroup

	mu      sync.Mutex // guards what follows
	jobs    []func(context.Context)
	active  int // workers
	dropped int64
	closed  bool // only running jobs may still queue more
}

func (q *queue) init(o Options) {
	q.size, q.workers = o.Queue, o.Workers
	if q.size <= 0 {
		q.size = defaultQueue
	}
	if q.workers <= 0 {
		q.workers = 1
	}
	q.ctx, q.cancel = context.WithCancel(context.Background())
}

func (q *queue) add(job func(context.Context)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.ctx.Err() != nil || q.closed && q.active == 0:
		q.dropped++
		return ErrClosed
	case len(q.jobs) >= q.size:
		q.dropped++
		return ErrQueueFull
	}
	q.jobs = append(q.jobs, job)
	if q.active < q.workers {
		q.active++
		q.running.Go(q.work)
	}
	return nil
}

// work runs jobs until none waits. If a handler ends the goroutine (runtime.Goexit),
// another one continues.
func (q *queue) work() {
	returned := false
	defer func() {
		if !returned {
			q.running.Go(q.work)
		}
	}()
	for job := q.next(); job != nil; job = q.next() {
		job(q.ctx)
	}
	returned = true
}

// drop counts an event that was not handled completely.
func (q *queue) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped++
}

func (q *queue) next() func(context.Context) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.jobs) == 0 {
		q.active--
		return nil
	}
	job := q.jobs[0]
	q.jobs[0] = nil
	q.jobs = q.jobs[1:]
	return job
}

// drain waits until all jobs are done, with those that jobs queue meanwhile. If ctx
// ends first, waiting jobs are dropped, and the context of running ones ends.
func (q *queue) drain(ctx context.Context) error {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	done := make(chan struct{})
	go func() {
		q.running.Wait()
		close(done)
	}()
	defer q.cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	q.cancel() // nothing is queued from here on
	left := len(q.jobs)
	q.jobs = nil
	q.dropped += int64(left)
	q.mu.Unlock()
	return fmt.Errorf("events: stopped with %d events in the queue: %w", left, ctx.Err())
}
