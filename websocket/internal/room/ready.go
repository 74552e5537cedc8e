package room

import (
	"context"
	"sync"

	"github.com/nextrush/nextrush/websocket/internal/history"
)

// Repair has the ring of a room have all that is shared, and waits for that or ctx.
func (rs *Rooms[S]) Repair(ctx context.Context, key history.Key) error {
	opts := rs.Of(key.Room)
	if !opts.Keeps() || rs.shared == nil {
		return nil
	}
	return rs.start(ctx, key, opts, nil).wait(ctx)
}

func (p *repair) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// start starts a repair, unless there is one, and has it hold an event that has come.
func (rs *Rooms[S]) start(ctx context.Context, key history.Key, opts *Options[S], a *Arrival) *repair {
	p, fresh := rs.repairs.begin(key, a)
	if fresh {
		go rs.repair(context.WithoutCancel(ctx), key, opts)
	}
	return p
}

// Ready is Repair for a room that is watched, unless nothing is missing.
func (rs *Rooms[S]) Ready(ctx context.Context, key history.Key) error {
	opts := rs.Of(key.Room)
	if !opts.Keeps() || rs.shared == nil {
		return nil
	}
	if p := rs.lacking(ctx, key, opts); p != nil {
		return p.wait(ctx)
	}
	return nil
}

// lacking is the repair of a room of which something is missing; nil: nothing is. The room is
// locked until it is started: one that has just ended is not started again.
func (rs *Rooms[S]) lacking(ctx context.Context, key history.Key, opts *Options[S]) *repair {
	watch := rs.shared.Watched(key)
	r := rs.lock(key, opts)
	defer r.Unlock()
	if watch != 0 && r.Watch == watch {
		return nil
	}
	return rs.start(ctx, key, opts, nil)
}

// Live reports whether nothing of what is shared of a room is missing here.
func (rs *Rooms[S]) Live(key history.Key) bool {
	opts := rs.Of(key.Room)
	if !opts.Keeps() || rs.shared == nil {
		return true
	}
	watch := rs.shared.Watched(key)
	r := rs.lock(key, opts)
	defer r.Unlock()
	return watch != 0 && r.Watch == watch
}

// Check repairs all rooms that are watched, some at once: something may be missing of which
// nothing tells, such as what came last.
func (rs *Rooms[S]) Check(ctx context.Context) {
	if rs == nil || rs.shared == nil || rs.kept == nil {
		return
	}
	var all sync.WaitGroup
	defer all.Wait()
	slots := make(chan struct{}, maxReads)
	for _, key := range rs.kept.Keys() {
		if rs.shared.Watched(key) == 0 {
			continue
		}
		select {
		case slots <- struct{}{}:
			all.Go(func() { rs.Repair(ctx, key); <-slots })
		case <-ctx.Done():
			return
		}
	}
}
