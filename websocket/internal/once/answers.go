// Package once keeps answers by key, so that a request is carried out once that is sent
// twice. It knows neither requests nor what an answer is.
package once

import (
	"errors"
	"slices"
	"sync"
	"time"
)

const maxWaiters = 16 // requests that wait for the answer to the first of their key

// Errors of Find.
var (
	ErrWaiters = errors.New("too many requests with this key")
	ErrFull    = errors.New("too many requests")
)

// Answers are those of type A to requests of type R. Its methods, and those of its
// answers, are safe from any goroutine.
type Answers[R comparable, A any] struct {
	ttl time.Duration
	max int

	mu    sync.Mutex // guards the fields below and those of every answer
	byKey map[Key]*Answer[R, A]
	order []*Answer[R, A] // the same, the oldest first
}

// Key is what requests have in common that have one answer.
type Key struct{ Scope, Event, Key string }

// Answer is the answer to all requests of a key.
type Answer[R comparable, A any] struct {
	Key Key
	of  *Answers[R, A]
	end time.Time

	known   bool
	is      A
	waiters []waiter[R]
}

type waiter[R comparable] struct {
	r     R
	timer *time.Timer
}

// New keeps answers for ttl, and the newest max of them at most.
func New[R comparable, A any](ttl time.Duration, max int) *Answers[R, A] {
	return &Answers[R, A]{ttl: ttl, max: max, byKey: make(map[Key]*Answer[R, A])}
}

// Find returns the answer to a request, and whether it is the first of its key. It fails
// if too many wait already, or if there is no room.
func (o *Answers[R, A]) Find(key Key) (a *Answer[R, A], first bool, err error) {
	now := time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.expireLocked(now)
	if a := o.byKey[key]; a != nil {
		if !a.known && len(a.waiters) >= maxWaiters {
			return nil, false, ErrWaiters
		}
		return a, false, nil
	}
	if !o.makeRoomLocked() {
		return nil, false, ErrFull
	}
	a = &Answer[R, A]{Key: key, of: o, end: now.Add(o.ttl)}
	o.byKey[key] = a
	o.order = append(o.order, a)
	return a, true, nil
}

// expireLocked forgets answers that are too old.
func (o *Answers[R, A]) expireLocked(now time.Time) {
	n := 0
	for n < len(o.order) && !now.Before(o.order[n].end) {
		delete(o.byKey, o.order[n].Key)
		n++
	}
	clear(o.order[:n])
	o.order = o.order[n:]
}

// makeRoomLocked forgets the oldest answer that is known if there is no room for another,
// and reports whether there is then.
func (o *Answers[R, A]) makeRoomLocked() bool {
	if len(o.byKey) < o.max {
		return true
	}
	i := slices.IndexFunc(o.order, func(a *Answer[R, A]) bool { return a.known })
	if i < 0 {
		return false
	}
	o.dropLocked(i)
	return true
}

func (o *Answers[R, A]) dropLocked(i int) {
	delete(o.byKey, o.order[i].Key)
	o.order = slices.Delete(o.order, i, i+1)
}

// Get returns the answer if it is known. If it is not, r waits: either Settle returns it, or
// late is called when it has waited for a while.
func (a *Answer[R, A]) Get(r R, wait time.Duration, late func(R)) (is A, known bool) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	if !a.known {
		a.waiters = append(a.waiters, waiter[R]{r, time.AfterFunc(wait, func() {
			if a.giveUp(r) {
				late(r)
			}
		})})
	}
	return a.is, a.known
}

// Known reports whether there is an answer.
func (a *Answer[R, A]) Known() bool {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	return a.known
}

// giveUp reports whether r has waited until now.
func (a *Answer[R, A]) giveUp(r R) bool {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	i := slices.IndexFunc(a.waiters, func(w waiter[R]) bool { return w.r == r })
	if i >= 0 {
		a.waiters = slices.Delete(a.waiters, i, i+1)
	}
	return i >= 0
}

// Settle makes the answer known, unless it is, and returns who waits for it.
func (a *Answer[R, A]) Settle(is A) (waiters []R) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	return a.settleLocked(is)
}

func (a *Answer[R, A]) settleLocked(is A) (waiters []R) {
	if a.known {
		return nil
	}
	for _, w := range a.waiters {
		w.timer.Stop()
		waiters = append(waiters, w.r)
	}
	a.waiters = nil
	a.known, a.is = true, is
	return waiters
}

// Forget is Settle for an answer that is not kept: the next request of the key is the
// first.
func (a *Answer[R, A]) Forget(is A) (waiters []R) {
	a.of.mu.Lock()
	defer a.of.mu.Unlock()
	if i := slices.Index(a.of.order, a); i >= 0 {
		a.of.dropLocked(i)
	}
	return a.settleLocked(is)
}
