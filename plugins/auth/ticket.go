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
// any goroutine.
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
// would be valid for longer and for more. The store in memory gives one user 1,000
// tickets within that time; further ones are answered with 429.
func (p *Plugin) Ticket(c *nextrush.Context) (string, error) {
	user := User(c)
	if user == nil {
		return "", nextrush.NewError(http.StatusUnauthorized)
	}
	ticket := rand.Text()
	if err := p.opts.Tickets.Put(c.Context(), hashed(ticket), user, p.opts.TicketTTL); err != nil {
		return "", fmt.Errorf("auth: Ticket: %w", err)
	}
	return ticket, nil
}

func (p *Plugin) redeem(ctx context.Context, ticket string) (*Principal, error) {
	user, err := p.opts.Tickets.Take(ctx, hashed(ticket))
	switch {
	case err != nil:
		return nil, fmt.Errorf("auth: redeem a ticket: %w", err)
	case user == nil:
		return nil, refused("unknown ticket")
	case !user.ExpiresAt.IsZero() && p.left(user) <= 0:
		return nil, refused("the token of the ticket's owner has expired")
	}
	return p.known(user), nil
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
	users  map[string]*Principal
	issued map[string]int // by the user's ID, with the redeemed ones
	ends   []end          // in order of time, as all have the same ttl
}

type end struct {
	at        time.Time
	key, user string
}

func (m *memoryTickets) Put(_ context.Context, key string, p *Principal, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expireLocked(now)
	switch {
	case m.issued[p.ID] >= maxUserTickets:
		return nextrush.NewError(http.StatusTooManyRequests).WithCause(errors.New("too many tickets have been issued to one user"))
	case len(m.ends) >= maxTickets:
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(errors.New("too many tickets have been issued"))
	case m.users == nil:
		m.users, m.issued = make(map[string]*Principal), make(map[string]int)
	}
	m.users[key] = p
	m.issued[p.ID]++
	m.ends = append(m.ends, end{now.Add(ttl), key, p.ID})
	return nil
}

func (m *memoryTickets) Take(_ context.Context, key string) (*Principal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expireLocked(time.Now())
	user := m.users[key]
	delete(m.users, key)
	return user, nil
}

// expireLocked drops the tickets whose time is up.
func (m *memoryTickets) expireLocked(now time.Time) {
	n := 0
	for n < len(m.ends) && !now.Before(m.ends[n].at) {
		e := m.ends[n]
		delete(m.users, e.key)
		if m.issued[e.user]--; m.issued[e.user] == 0 {
			delete(m.issued, e.user)
		}
		n++
	}
	m.ends = m.ends[n:]
}
