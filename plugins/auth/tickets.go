package auth

import (
	"context"
	"encoding/json"
	"time"
)

// SharedStore is what processes share, such as a Store of plugins/redis or plugins/nats.
// Its methods are safe from any goroutine.
type SharedStore interface {
	// Set keeps a value for ttl.
	Set(ctx context.Context, key string, value []byte, ttl time.Duration) error
	// Remove removes a value and returns it, in one step, so that only one of several
	// calls at once gets it; nil: there is none.
	Remove(ctx context.Context, key string) ([]byte, error)
	// Count adds one to the number under a key and returns it. The number is forgotten
	// when ttl has passed since it was 1.
	Count(ctx context.Context, key string, ttl time.Duration) (int64, error)
}

// Tickets returns the tickets in a store, for Options.Tickets: a ticket that one process has
// issued opens a socket of any other that shares the store. The store sees hashes of the
// tickets, and of each user what a Principal has in JSON, so that claims come back as JSON
// has them. A user gets 1,000 tickets within the time of one that begins with the first.
func Tickets(store SharedStore) TicketStore { return sharedTickets{store} }

type sharedTickets struct{ store SharedStore }

func (s sharedTickets) Put(ctx context.Context, key string, p *Principal, ttl time.Duration) error {
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	n, err := s.store.Count(ctx, "tickets:"+hashed(p.ID), ttl)
	if err != nil {
		return err
	}
	if n > maxUserTickets {
		return tooMany()
	}
	return s.store.Set(ctx, "ticket:"+key, b, ttl)
}

func (s sharedTickets) Take(ctx context.Context, key string) (*Principal, error) {
	b, err := s.store.Remove(ctx, "ticket:"+key)
	if b == nil || err != nil {
		return nil, err
	}
	p := new(Principal)
	if err := json.Unmarshal(b, p); err != nil {
		return nil, err
	}
	return p, nil
}
