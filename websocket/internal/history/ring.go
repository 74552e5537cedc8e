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

// Event is what a ring holds.
type Event interface {
	Size() int // bytes that it takes now
	Shed()     // drop what can be made anew
}

// Ring is the history of a room, and holds what was added last. It is not safe from
// several goroutines.
type Ring[E Event] struct {
	limits Limits
	epoch  string
	top    int64     // offset of the newest
	items  []item[E] // the oldest first; no offset between them is left out
	bytes  int       // when they were added
	grown  int       // bytes since
}

type item[E Event] struct {
	event E
	size  int   // when it was added
	grown int   // since
	at    int64 // nanoseconds of the caller's clock
}

// NewRing makes an empty ring with an epoch of its own.
func NewRing[E Event](limits Limits) Ring[E] {
	var b [9]byte
	rand.Read(b[:])
	return Ring[E]{limits: limits, epoch: base64.RawURLEncoding.EncodeToString(b[:])}
}

// Position is that of the newest event.
func (r *Ring[E]) Position() Position { return Position{r.epoch, r.top} }

// Adopt goes on from a position of another history.
func (r *Ring[E]) Adopt(p Position) {
	r.Clear()
	r.epoch, r.top = p.Epoch, p.Offset
}

// Add adds an event that Position tells from then on. One that is larger than the whole
// ring leaves nothing in it.
func (r *Ring[E]) Add(e E, now int64) {
	size := e.Size()
	r.top++
	r.items = append(r.items, item[E]{e, size, 0, now})
	r.bytes += size
	r.Trim(now)
}

// Grow takes the sizes of the newest n events anew. What they have grown does not count for
// the limits.
func (r *Ring[E]) Grow(n int) {
	for i := max(len(r.items)-n, 0); i < len(r.items); i++ {
		e := &r.items[i]
		r.grown -= e.grown
		e.grown = e.event.Size() - e.size
		r.grown += e.grown
	}
}

// Shed has the events drop what they have grown, and reports whether that was anything.
func (r *Ring[E]) Shed() bool {
	if r.grown == 0 {
		return false
	}
	for i := range r.items {
		r.items[i].event.Shed()
	}
	r.Grow(len(r.items))
	return true
}

// Trim drops what is over the limits.
func (r *Ring[E]) Trim(now int64) {
	n := 0
	for n < len(r.items) && r.exceeded(n, now) {
		r.bytes -= r.items[n].size
		r.grown -= r.items[n].grown
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
func (r *Ring[E]) Clear() { r.items, r.bytes, r.grown = nil, 0, 0 }

// Last returns the newest n events, or as many as there are.
func (r *Ring[E]) Last(n int, now int64) (events []E) {
	r.Trim(now)
	for _, e := range r.items[len(r.items)-min(max(n, 0), len(r.items)):] {
		events = append(events, e.event)
	}
	return events
}

// Since returns what came after a position; ok is false if something of that is not there
// any more, or the position is not of this ring.
func (r *Ring[E]) Since(p Position, now int64) (events []E, ok bool) {
	r.Trim(now)
	missed := r.top - max(p.Offset, 0)
	if p.Epoch != r.epoch || missed < 0 || missed > int64(len(r.items)) {
		return nil, false
	}
	for i := len(r.items) - int(missed); i < len(r.items); i++ {
		events = append(events, r.items[i].event)
	}
	return events, true
}
