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

// What one process issues within the time of the tickets.
const (
	maxTickets     = 100_000
	maxUserTickets = 1000 // so that no user takes them from the others
)

// TicketStore keeps tickets until they are redeemed. Its methods are safe from
// any goroutine.
type TicketStore interface {
	// Put keeps p under key for ttl.
	Put(ctx context.Context, key string, p *Principal, ttl time.Duration) error
	// Take returns what is under key and removes it, so that of several calls
	// at once only one gets it; nil if there is nothing.
	Take(ctx context.Context, key string) (*Principal, error)
}

// Ticket makes a ticket for the sender of the request, who has to be known: 128
// random bits to open one socket with, as ?ticket=, within Options.TicketTTL. A
// browser can send no header with an upgrade, and a token in a URL would be
// good for longer, and for more, where it is logged. The store in memory gives one
// user 1,000 within that time, and answers 429 then.
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
	mu     sync.Mutex // guards what follows
	users  map[string]*Principal
	issued map[string]int // by the user's ID, redeemed ones too
	ends   []end          // in order of time, where all have one ttl
}

type end struct {
	at        time.Time
	key, user string
}

func (m *memoryTickets) Put(_ context.Context, key string, p *Principal, ttl time.Duration) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.expire(now)
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
	m.expire(time.Now())
	user := m.users[key]
	delete(m.users, key)
	return user, nil
}

// expire drops the tickets whose time is up; mu is held.
func (m *memoryTickets) expire(now time.Time) {
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
