// Package events has the handlers of events, and the replies that are awaited. It knows
// neither what an event is nor who sends it.
package events

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
)

const (
	maxReplies = 1024 // awaited at once
	manyPrefix = "m"  // of the id of a request to many, which counts them; others are numbers of the table
)

// Table is the handlers and awaited replies of one socket, for events of type E. A nil one
// has none. Its methods are safe from any goroutine.
type Table[E any] struct {
	mu         sync.Mutex // guards the fields below
	middleware []Middleware[E]
	any        []Handler[E] // of every event
	handlers   map[string][]Handler[E]
	requests   uint64 // sent so far
	replies    map[string]func(Reply[E])
}

// Handler is a handler of events.
type Handler[E any] struct {
	Do   func(E) error
	Once bool // for one event
}

func (h Handler[E]) isOnce() bool { return h.Once }

// Middleware runs around the handlers of events.
type Middleware[E any] = func(e E, next func() error) error

// Reply is what answers a request.
type Reply[E any] struct {
	Event E
	Err   error
}

// New makes a table without handlers.
func New[E any]() *Table[E] {
	return &Table[E]{handlers: make(map[string][]Handler[E]), replies: make(map[string]func(Reply[E]))}
}

// Add adds a handler of events of that name.
func (t *Table[E]) Add(name string, h Handler[E]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.handlers[name] = append(t.handlers[name], h)
}

// AddAny adds a handler of every event.
func (t *Table[E]) AddAny(h Handler[E]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.any = append(t.any, h)
}

// Use adds middleware.
func (t *Table[E]) Use(mw Middleware[E]) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.middleware = append(t.middleware, mw)
}

// Remove removes the handlers of events of that name.
func (t *Table[E]) Remove(name string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.handlers, name)
}

// Handles reports whether any event has a handler.
func (t *Table[E]) Handles() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.handlesLocked()
}

func (t *Table[E]) handlesLocked() bool { return len(t.handlers) > 0 || len(t.any) > 0 }

// Found is what there is to do for an event.
type Found[E any] struct {
	Handlers   []Handler[E] // taken, unless there is middleware, which decides whether they have had their event
	Middleware []Middleware[E]
	Named      bool // it has handlers of its own name
	Unknown    bool // it has no handler at all
}

// Find finds what there is to do for an event. It reports false for one that is not for
// handlers: if there are none of any event, or if it is unknown and elsewhere may be taken.
func (t *Table[E]) Find(name string, elsewhere bool) (f Found[E], ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f.Middleware, f.Named = t.middleware, len(t.handlers[name]) > 0
	f.Unknown = !f.Named && len(t.any) == 0
	switch {
	case f.Unknown && (elsewhere || !t.handlesLocked()):
		return Found[E]{}, false
	case !f.Unknown && len(f.Middleware) == 0:
		f.Handlers = t.takeLocked(name)
	}
	return f, true
}

// Take returns the handlers of an event, of which those for one event are taken out.
func (t *Table[E]) Take(name string) []Handler[E] {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.takeLocked(name)
}

func (t *Table[E]) takeLocked(name string) []Handler[E] {
	list := t.handlers[name]
	if once := Handler[E].isOnce; slices.ContainsFunc(list, once) {
		t.handlers[name] = slices.DeleteFunc(slices.Clone(list), once)
	}
	if len(t.any) > 0 {
		list = slices.Concat(t.any, list)
	}
	return list
}

// NextID is that of another request.
func (t *Table[E]) NextID() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.requests++
	return strconv.FormatUint(t.requests, 10)
}

// ManyID is the id of the n-th request to many.
func ManyID(n uint64) string { return manyPrefix + strconv.FormatUint(n, 10) }

// Await registers take for the reply to a request, unless too many are awaited. It is
// called once, while the table is locked.
func (t *Table[E]) Await(id string, take func(Reply[E])) (ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.replies) >= maxReplies {
		return false
	}
	t.replies[id] = take
	return true
}

// Forget reports whether the reply was awaited until now.
func (t *Table[E]) Forget(id string) (awaited bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, awaited = t.replies[id]
	delete(t.replies, id)
	return awaited
}

// Answer hands a reply to the request that waits for it, and reports whether there was
// one: a reply that comes too late is dropped. many is how many requests to many there
// were.
func (t *Table[E]) Answer(id []byte, r Reply[E], many uint64) bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	key := string(bytes.Trim(id, `"`))
	if take, ok := t.replies[key]; ok {
		delete(t.replies, key)
		take(r)
	}
	asked := t.requests
	if number, ok := strings.CutPrefix(key, manyPrefix); ok {
		key, asked = number, many
	}
	n, err := strconv.ParseUint(key, 10, 64)
	return err == nil && 0 < n && n <= asked
}

// Awaited reports whether somebody waits for a reply.
func (t *Table[E]) Awaited() bool {
	if t == nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.replies) > 0
}

// Fail answers all requests with an error.
func (t *Table[E]) Fail(err error) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, take := range t.replies {
		delete(t.replies, id)
		take(Reply[E]{Err: err})
	}
}
