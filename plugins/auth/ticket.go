package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
)

// How many tickets one process issues within Options.TicketTTL.
const (
	maxTickets     = 100_000
	maxUserTickets = 1000 // so that one user does not use them all up
)

// TicketStore keeps tickets until they are redeemed. Its methods are safe from
// any goroutine. [Tickets] makes one of a store that processes share; package authtest
// tests others. An error that is not a nextrush.HTTPError is answered with 503.
type TicketStore interface {
	// Put keeps p under key for ttl.
	Put(ctx context.Context, key string, p *Principal, ttl time.Duration) error
	// Take returns the principal under key and removes it, so that only one of
	// several calls at once gets it; nil if there is none.
	Take(ctx context.Context, key string) (*Principal, error)
}

// Ticket makes a ticket for the sender of the request, who must be known: 128 random
// bits that open one socket, as ?ticket=, within Options.TicketTTL. It exists because
// a browser cannot send a header with an upgrade, and URLs are logged, where a token
// would be valid for longer and for more. The store in memory, and those of [Tickets],
// give one user 1,000 tickets within that time; further ones are answered with 429.
func (p *Plugin) Ticket(c *nextrush.Context) (string, error) {
	user := User(c)
	if user == nil {
		return "", nextrush.NewError(http.StatusUnauthorized)
	}
	ticket := rand.Text()
	if err := p.opts.Tickets.Put(c.Context(), hashed(ticket), user, p.opts.TicketTTL); err != nil {
		return "", fmt.Errorf("auth: Ticket: %w", unavailable(err))
	}
	return ticket, nil
}

func (p *Plugin) redeem(ctx context.Context, ticket string) (*Principal, error) {
	user, err := p.opts.Tickets.Take(ctx, hashed(ticket))
	switch {
	case err != nil:
		return nil, fmt.Errorf("auth: redeem a ticket: %w", unavailable(err))
	case user == nil:
		return nil, refused("unknown ticket")
	case !user.ExpiresAt.IsZero() && p.left(user) <= 0:
		return nil, refused("the token of the ticket's owner has expired")
	}
	return p.known(user), nil
}

func tooMany() error {
	return nextrush.NewError(http.StatusTooManyRequests).WithCause(errors.New("too many tickets have been issued to one user"))
}

// unavailable has a client come back when the store works again.
func unavailable(err error) error {
	if _, ok := errors.AsType[*nextrush.HTTPError](err); ok {
		return err
	}
	return nextrush.NewError(http.StatusServiceUnavailable).WithCause(err)
}

// hashed returns the key of a ticket in the store. Nobody who reads the store can open
// a socket with it.
func hashed(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// memoryTickets is the store of one process.
type memoryTickets struct {
	mu     sync.Mutex // guards what follows
	byKey  map[string]*ticket
	issued map[string]int // by the user's ID, with the redeemed ones
	order  []*ticket      // in which they were issued, and in which they end if all have the same ttl
}

type ticket struct {
	key  string
	user *Principal
	end  time.Time
}

func (m *memoryTickets) Put(_ context.Context, key string, p *Principal, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expireLocked(now)
	switch {
	case m.issued[p.ID] >= maxUserTickets:
		return tooMany()
	case len(m.order) >= maxTickets:
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(errors.New("too many tickets have been issued"))
	case m.byKey == nil:
		m.byKey, m.issued = make(map[string]*ticket), make(map[string]int)
	}
	t := &ticket{key, p, now.Add(ttl)}
	m.byKey[key] = t
	m.issued[p.ID]++
	m.order = append(m.order, t)
	return nil
}

func (m *memoryTickets) Take(_ context.Context, key string) (*Principal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expireLocked(now)
	t := m.byKey[key]
	delete(m.byKey, key)
	if t == nil || !now.Before(t.end) {
		return nil, nil
	}
	return t.user, nil
}

// expireLocked drops the tickets whose time is up.
func (m *memoryTickets) expireLocked(now time.Time) {
	n := 0
	for n < len(m.order) && !now.Before(m.order[n].end) {
		t := m.order[n]
		delete(m.byKey, t.key)
		if m.issued[t.user.ID]--; m.issued[t.user.ID] == 0 {
			delete(m.issued, t.user.ID)
		}
		n++
	}
	clear(m.order[:n])
	m.order = m.order[n:]
}
