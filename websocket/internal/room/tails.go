package room

import "github.com/nextrush/nextrush/websocket/internal/history"

// Tails yields what the rings of rooms that are watched have last, as far as it is of the
// shared history: the sources of events, and the position of the last. If something has come
// of which the ring lacks what was before it, its position follows, without sources.
func (rs *Rooms[S]) Tails(yield func(key history.Key, at history.Position, sources []Source) bool) {
	if rs == nil || rs.shared == nil || rs.kept == nil {
		return
	}
	for _, key := range rs.kept.Keys() {
		opts := rs.Of(key.Room)
		if !opts.Keeps() || rs.shared.Watched(key) == 0 {
			continue
		}
		at, ahead, sources, ok := rs.tail(key, opts)
		if ok && !yield(key, at, sources) {
			return
		}
		if ok && ahead.Epoch == at.Epoch && ahead.Offset > at.Offset && !yield(key, ahead, nil) {
			return
		}
	}
}

func (rs *Rooms[S]) tail(key history.Key, opts *Options[S]) (at, ahead history.Position, sources []Source, ok bool) {
	r := rs.lock(key, opts)
	defer r.Unlock()
	for _, e := range r.Last(opts.Limits.Messages, rs.cfg.Clock()) {
		sources = append(sources, e.source)
	}
	return r.Position(), r.Ahead, sources, r.Common
}

// fits reports whether events are not too many for the queue of a socket.
func (rs *Rooms[S]) fits(list []Arrival) bool {
	n := 0
	for i := range list {
		n += len(list[i].Text) + len(list[i].Bytes)
	}
	return len(list) <= maxReplay && n <= rs.cfg.Replay
}
