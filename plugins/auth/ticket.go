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

// maxTickets is how many tickets one process issues within their time.
const maxTickets = 100_000

// TicketStore keeps tickets until they are redeemed. Its methods are safe from
// any goroutine.
type TicketStore interface {
	// Put keeps p under key for ttl.
	Put(ctx context.Context, key string, p *Principal, ttl time.Duration) error
	// Take returns what is under key and removes it, so that of several calls
	// at once only one gets it; nil where there is nothing.
	Take(ctx context.Context, key string) (*Principal, error)
}

// Ticket makes a ticket for the sender of the request, who has to be known: 128
// random bits to open one socket with, as ?ticket=, within Options.TicketTTL. A
// browser can send no header with an upgrade, and a token in a URL would be
// good for longer, and for more, where it is logged.
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
		return nil, refused("the token behind the ticket has expired")
	}
	return p.known(user), nil
}

// hashed is what a store knows of a ticket: who reads the store can open nothing.
func hashed(ticket string) string {
	sum := sha256.Sum256([]byte(ticket))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// memoryTickets is the store of one process.
type memoryTickets struct {
	mu    sync.Mutex // guards what follows
	users map[string]*Principal
	ends  []end // in order of time, where all have one ttl
}

type end struct {
	at  time.Time
	key string
}

func (m *memoryTickets) Put(_ context.Context, key string, p *Principal, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expire(now)
	if len(m.ends) >= maxTickets {
		return nextrush.NewError(http.StatusServiceUnavailable).WithCause(errors.New("too many tickets have been issued"))
	}
	if m.users == nil {
		m.users = make(map[string]*Principal)
	}
	m.users[key] = p
	m.ends = append(m.ends, end{now.Add(ttl), key})
	return nil
}

func (m *memoryTickets) Take(_ context.Context, key string) (*Principal, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.expire(time.Now())
	user := m.users[key]
	delete(m.users, key)
	return user, nil
}

// expire drops the tickets whose time is up; mu is held.
func (m *memoryTickets) expire(now time.Time) {
	n := 0
	for n < len(m.ends) && !now.Before(m.ends[n].at) {
		delete(m.users, m.ends[n].key)
		n++
	}
	m.ends = m.ends[n:]
}
