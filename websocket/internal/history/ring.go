// Package history keeps what was sent to rooms last: a ring of events for each, whose
// places are positions. It knows no sockets.
package history

import (
	"crypto/rand"
	"encoding/base64"
	"time"
)

// Limits bound a ring. What is over one of them is dropped, the oldest first.
type Limits struct {
	Messages int
	Bytes    int
	Age      time.Duration
}

// Ring is the history of a room, and holds what was added last. It is not safe from
// several goroutines.
type Ring[E any] struct {
	limits Limits
	epoch  string
	top    int64     // offset of the newest
	items  []item[E] // the oldest first; no offset between them is left out
	bytes  int
}

type item[E any] struct {
	event E
	size  int
	at    int64 // nanoseconds of the caller's clock
}

// NewRing makes an empty ring with an epoch of its own.
func NewRing[E any](limits Limits) Ring[E] {
	var b [9]byte
	rand.Read(b[:])
	return Ring[E]{limits: limits, epoch: base64.RawURLEncoding.EncodeToString(b[:])}
}

// Position is that of the newest event.
func (r *Ring[E]) Position() Position { return Position{r.epoch, r.top} }

// Add adds an event of size bytes that Position tells from then on. One that is larger than
// the whole ring leaves nothing in it.
func (r *Ring[E]) Add(e E, size int, now int64) {
	r.top++
	r.items = append(r.items, item[E]{e, size, now})
	r.bytes += size
	r.Trim(now)
}

// Trim drops what is over the limits.
func (r *Ring[E]) Trim(now int64) {
	n := 0
	for n < len(r.items) && r.exceeded(n, now) {
		r.bytes -= r.items[n].size
		n++
	}
	clear(r.items[:n])
	r.items = r.items[n:]
	if len(r.items) == 0 {
		r.items = nil
	}
}

// exceeded reports whether the item n is to be dropped, when those before it are gone.
func (r *Ring[E]) exceeded(n int, now int64) bool {
	return len(r.items)-n > r.limits.Messages || r.bytes > r.limits.Bytes || now-r.items[n].at >= int64(r.limits.Age)
}

// Clear drops all, and goes on with the next offset.
func (r *Ring[E]) Clear() { r.items, r.bytes = nil, 0 }

// Since returns what came after a position, and its size; ok is false if something of
// that is not there any more, or the position is not of this ring. The caller may change
// the events.
func (r *Ring[E]) Since(p Position, now int64) (events []*E, bytes int, ok bool) {
	r.Trim(now)
	missed := r.top - max(p.Offset, 0)
	if p.Epoch != r.epoch || missed < 0 || missed > int64(len(r.items)) {
		return nil, 0, false
	}
	for i := len(r.items) - int(missed); i < len(r.items); i++ {
		events = append(events, &r.items[i].event)
		bytes += r.items[i].size
	}
	return events, bytes, true
}
