package nats

import (
	"context"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
)

// rooms are those that the node watches.
type rooms struct {
	changing sync.Mutex // held while subscriptions change

	mu       sync.RWMutex        // guards the fields below
	watched  map[string]string   // their subjects
	subjects map[string]*subject // guarded by changing, too
	slow     map[*nats.Subscription]int
}

// subject is one that rooms are received by.
type subject struct {
	sub   *nats.Subscription // nil: it is to be subscribed to
	rooms int
}

func (r *rooms) has(room string) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	_, ok := r.watched[room]
	return ok
}

// of lists the rooms of a subject.
func (r *rooms) of(subject string) (list []string) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for room, s := range r.watched {
		if s == subject {
			list = append(list, room)
		}
	}
	return list
}

// Watch subscribes to rooms, and waits until what is published to them arrives.
func (b *Broker) Watch(ctx context.Context, add, drop []string) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	last := b.conn.LastError()
	if err := b.change(add, drop); err != nil {
		return err
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	if err := b.conn.LastError(); err != last && isRefused(err) {
		return fmt.Errorf("nats: %w", err)
	}
	if len(add) == 0 {
		return nil
	}
	if err := b.greet(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		for _, room := range add {
			b.state.lose(room, err)
		}
	}
	return nil
}

func (b *Broker) change(add, drop []string) error {
	b.rooms.changing.Lock()
	defer b.rooms.changing.Unlock()
	for _, room := range drop {
		if sub := b.rooms.remove(room); sub != nil {
			sub.Unsubscribe()
		}
	}
	for _, room := range add {
		name := b.roomSubject(room)
		s := b.rooms.add(room, name)
		if s.sub != nil {
			continue
		}
		sub, err := b.conn.ChanSubscribe(name, b.arrived)
		if err != nil {
			return fmt.Errorf("nats: %w", err)
		}
		s.sub = sub
	}
	return nil
}

func (r *rooms) add(room, name string) *subject {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.subjects[name]
	if s == nil {
		s = &subject{}
		r.subjects[name] = s
	}
	if _, is := r.watched[room]; !is {
		r.watched[room] = name
		s.rooms++
	}
	return s
}

// remove returns the subscription that nobody needs any more.
func (r *rooms) remove(room string) *nats.Subscription {
	r.mu.Lock()
	defer r.mu.Unlock()
	name, is := r.watched[room]
	if !is {
		return nil
	}
	delete(r.watched, room)
	s := r.subjects[name]
	if s.rooms--; s.rooms > 0 {
		return nil
	}
	delete(r.subjects, name)
	delete(r.slow, s.sub)
	return s.sub
}

// slowed notes that messages of a subscription are dropped.
func (r *rooms) slowed(sub *nats.Subscription) {
	dropped, _ := sub.Dropped()
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.slow == nil {
		r.slow = make(map[*nats.Subscription]int)
	}
	r.slow[sub] = dropped
}

// stillSlow lists the subjects of which more was dropped. The client tells of the first
// alone.
func (r *rooms) stillSlow() (subjects []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for sub, before := range r.slow {
		dropped, err := sub.Dropped()
		if err != nil || dropped == before {
			delete(r.slow, sub)
			continue
		}
		r.slow[sub] = dropped
		subjects = append(subjects, sub.Subject)
	}
	return subjects
}
