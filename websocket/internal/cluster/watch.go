package cluster

import (
	"context"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/broker"
)

const (
	gather       = time.Millisecond // changes for one call of the broker
	maxNames     = 512              // of one call
	linger       = time.Second      // an empty room is watched for
	watchTimeout = 5 * time.Second
)

// watcher has the broker watch the rooms that somebody is in.
type watcher struct {
	node *Node

	mu      sync.Mutex // guards the fields below
	rooms   map[string]*watched
	streams map[uint64]*watched // the same by their streams
	changed map[string]*watched // of which the broker is to be told
	unread  map[string]struct{} // whose history could not be read
	number  uint64              // of the last watch
	wake    chan struct{}       // has room for one
}

type watched struct {
	want, has bool
	watch                     // if has
	empty     int64           // since when it is not wanted, in nanoseconds
	waiting   []chan struct{} // to be closed when it is watched, or not wanted any more
}

func newWatcher(n *Node) *watcher {
	return &watcher{node: n, rooms: make(map[string]*watched), streams: make(map[uint64]*watched), changed: make(map[string]*watched), unread: make(map[string]struct{}), wake: make(chan struct{}, 1)}
}

// note says whether somebody is in a room. It does no I/O.
func (w *watcher) note(name string, want bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteLocked(name, want)
}

func (w *watcher) noteLocked(name string, want bool) *watched {
	r := w.rooms[name]
	if r == nil {
		r = &watched{watch: watch{room: name}}
		w.rooms[name], w.streams[streamOf(name, broker.NodeID{})] = r, r
	}
	if r.want = want; !want {
		r.empty = w.node.now()
	}
	if r.want != r.has {
		w.changed[name] = r
		w.wakeUp()
	}
	return r
}

func (w *watcher) wakeUp() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// await waits until a room that somebody is in is watched, or everybody has left it, or ctx
// ends.
func (w *watcher) await(ctx context.Context, name string) error {
	wait := w.waitFor(name)
	if wait == nil {
		return nil
	}
	select {
	case <-wait:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-w.node.ctx.Done():
		return ErrDown
	}
}

func (w *watcher) waitFor(name string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.rooms[name]
	if r == nil || r.has {
		return nil
	}
	wait := make(chan struct{})
	r.waiting = append(r.waiting, wait)
	return wait
}

// of is the number of the watch of a room that is in force; 0: there is none.
func (w *watcher) of(name string) uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rooms[name]; r != nil && r.has {
		return r.number
	}
	return 0
}

// watching is the watch of the room with a stream; of number 0: there is none.
func (w *watcher) watching(stream uint64) watch {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.streams[stream]; r != nil && r.has {
		return r.watch
	}
	return watch{}
}

// count is how many rooms are watched.
func (w *watcher) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.rooms)
}

// run tells the broker until ctx ends.
func (w *watcher) run(ctx context.Context) {
	wait := firstWait
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return
		}
		pause(ctx, gather)
		for add, drop := range w.batches {
			if err := w.tell(ctx, add, drop); err != nil {
				w.node.failed("watch", err)
				w.wakeUp()
				pause(ctx, wait)
				wait = min(2*wait, longestWait)
				break
			}
			wait = firstWait
			if len(add) > 0 {
				w.node.local.Watched(ctx, roomNames(add))
			}
		}
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// batches yields what the broker is to be told, until that is done or a call fails. What
// became empty lately waits.
func (w *watcher) batches(yield func(add, drop []string) bool) {
	for {
		add, drop := w.batch()
		if len(add)+len(drop) == 0 || !yield(add, drop) {
			return
		}
	}
}

func (w *watcher) batch() (add, drop []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := w.node.now() - int64(linger)
	for name, r := range w.changed {
		switch {
		case len(add)+len(drop) == maxNames:
			return add, drop
		case r.want == r.has:
			delete(w.changed, name)
			w.forgetLocked(name, r)
		case r.want:
			add = append(add, name)
		case r.empty <= before:
			r.has = false
			drop = append(drop, name)
		}
	}
	return add, drop
}

// tell has the broker change what it watches. A room that is dropped counts as such from
// before that; if it fails it is dropped again, unless somebody has come.
func (w *watcher) tell(ctx context.Context, add, drop []string) error {
	ctx, cancel := context.WithTimeout(ctx, watchTimeout)
	defer cancel()
	err := w.node.broker.Watch(ctx, add, drop)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range drop {
		if r := w.rooms[name]; err != nil && !r.want {
			r.has = true
		}
	}
	if err != nil {
		return err
	}
	for _, name := range add {
		w.number++
		w.rooms[name].beginLocked(w.number, w.node.now())
	}
	for _, name := range append(add, drop...) {
		if r := w.rooms[name]; r.want == r.has {
			delete(w.changed, name)
			w.forgetLocked(name, r)
		}
	}
	return nil
}

func (r *watched) beginLocked(number uint64, now int64) {
	r.has, r.number, r.since = true, number, now
	r.wakeLocked()
}

func (r *watched) wakeLocked() {
	for _, wait := range r.waiting {
		close(wait)
	}
	r.waiting = nil
}

// forgetLocked drops a room that nobody is in.
func (w *watcher) forgetLocked(name string, r *watched) {
	if !r.want && !r.has {
		r.wakeLocked()
		delete(w.rooms, name)
		delete(w.streams, streamOf(name, broker.NodeID{}))
	}
}

// unreadable notes that the history of a room could not be read.
func (w *watcher) unreadable(name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if r := w.rooms[name]; r != nil && r.has {
		w.unread[name] = struct{}{}
	}
}

// tick has empty rooms looked at again, and returns those whose history is to be read
// again.
func (w *watcher) tick() (unread []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.changed) > 0 {
		w.wakeUp()
	}
	for name := range w.unread {
		unread = append(unread, name)
	}
	clear(w.unread)
	return unread
}
