package redial

import (
	"slices"
	"time"
)

// entry is a message on its way out.
type entry struct {
	Message
	event   string    // empty: nobody is told that it was dropped
	until   time.Time // when it is too old to be sent; zero: never
	request *Pending  // nil: none
	tooLong bool      // it has no form on the wire
	queued  bool
}

func (e *entry) size() int { return len(e.Data) }

// queue holds what waits for a connection: bounded by number, bytes and age.
type queue struct {
	c       *Client
	entries []*entry
	bytes   int
	next    time.Time // when the first one is too old; zero: never
	age     timer
}

// push reports false if there is no room.
func (q *queue) push(e *entry) bool {
	q.expire()
	if len(q.entries) >= q.c.o.Messages || q.bytes+e.size() > q.c.o.Bytes {
		return false
	}
	q.entries = append(q.entries, e)
	q.add(e)
	return true
}

// putBack puts in front what had been taken before, and so is within no limit.
func (q *queue) putBack(before []*entry) {
	q.entries = slices.Concat(before, q.entries)
	for _, e := range before {
		q.add(e)
	}
}

func (q *queue) add(e *entry) {
	e.queued = true
	q.bytes += e.size()
	if !e.until.IsZero() && (q.next.IsZero() || e.until.Before(q.next)) {
		q.wait(e.until)
	}
}

// wait has the queue look for what is too old.
func (q *queue) wait(at time.Time) {
	q.next = at
	q.age.clear()
	if !at.IsZero() {
		q.age.set(at.Sub(q.c.now()), func() {
			q.expire()
			if q.next.Equal(at) { // the clock has been set back
				q.wait(at)
			}
		})
	}
}

// shift takes the first entry; nil: there is none.
func (q *queue) shift() *entry {
	q.expire()
	if len(q.entries) == 0 {
		return nil
	}
	e := q.entries[0]
	q.entries[0] = nil
	q.entries = q.entries[1:]
	q.left(e)
	if len(q.entries) == 0 {
		q.wait(time.Time{})
	}
	return e
}

func (q *queue) left(e *entry) {
	e.queued = false
	q.bytes -= e.size()
}

// remove takes an entry out if it waits.
func (q *queue) remove(e *entry) {
	if e.queued {
		q.entries = slices.DeleteFunc(q.entries, func(other *entry) bool { return other == e })
		q.left(e)
	}
}

// expire drops what is too old.
func (q *queue) expire() {
	now := q.c.now()
	if q.next.IsZero() || now.Before(q.next) {
		return
	}
	q.clear(ErrTooOld, func(e *entry) bool { return !e.until.IsZero() && !now.Before(e.until) })
}

// clear drops some.
func (q *queue) clear(why error, which func(*entry) bool) {
	var out, rest []*entry
	var next time.Time
	for _, e := range q.entries {
		switch {
		case which(e):
			out = append(out, e)
			continue
		case !e.until.IsZero() && (next.IsZero() || e.until.Before(next)):
			next = e.until
		}
		rest = append(rest, e)
	}
	q.entries = rest
	for _, e := range out {
		q.left(e)
	}
	q.wait(next)
	for _, e := range out {
		q.c.drop(e, why)
	}
}
