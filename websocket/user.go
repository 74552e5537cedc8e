package websocket

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/nextrush/nextrush/websocket/internal/users"
)

// Close codes that say what HTTP would: 4000 and a status.
const (
	statusUnauthorized = 4401
	statusTooMany      = 4429
)

const maxUserID = 256 // bytes

// ErrUserLimit is what the error of SetUser is if the user has as many sockets as
// Options.MaxConnectionsPerUser allows.
var ErrUserLimit = errors.New("websocket: too many connections of this user")

// seat is a socket's user. It never changes.
type seat struct {
	user *users.User
	info any
}

func (seat *seat) whose() *users.User {
	if seat == nil {
		return nil
	}
	return seat.user
}

// SetUser says whose socket it is: who has authenticated, in middleware before the 101 or
// by a message after it. info is kept for User. The limits of Options for each user
// apply from then on, and those for sockets that have no user do not any more. Another
// id makes it the socket of another user.
//
// If the user has as many sockets as Options.MaxConnectionsPerUser, the error is
// ErrUserLimit: returned in middleware it refuses the upgrade with 429, and where it is
// not, or after the 101, the socket closes with 4429. Other errors: ErrClosed, and one
// for an id that has not 1 to 256 bytes.
func (s *Socket) SetUser(id string, info any) error {
	if id == "" || len(id) > maxUserID {
		return fmt.Errorf("websocket: user id must have 1 to 256 bytes, not %d", len(id))
	}
	if s.inform(id, info) {
		return nil
	}
	u := s.ns.users.Enter(id, s.ns.loop.Now(), s.session().takes(id))
	if u == nil {
		return s.tooManyOfUser()
	}
	old, left := s.sit(&seat{u, info})
	if left {
		s.ns.users.Leave(u, s.ns.loop.Now())
		return ErrClosed
	}
	if old == nil {
		s.ns.users.Named()
		s.conn.Expect(0)
	} else {
		s.ns.users.Leave(old.user, s.ns.loop.Now())
	}
	s.shareLimit()
	s.show()
	return nil
}

// shareLimit has the socket's messages count for its user, as long as another call has made
// it that of another user meanwhile.
func (s *Socket) shareLimit() {
	for of, now := (*seat)(nil), s.seat(); of != now; of, now = now, s.seat() {
		if limit := now.user.Limit; limit != nil {
			s.conn.Share(limit)
		}
	}
}

func (s *Socket) seat() *seat {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seatLocked()
}

// tooManyOfUser closes the socket of a user who has as many as allowed.
func (s *Socket) tooManyOfUser() error {
	const text = "too many connections of this user"
	s.ns.stats.Reject("connectionsPerUser")
	s.conn.Close(statusTooMany, text)
	return &HandshakeError{Status: http.StatusTooManyRequests, Message: text, Header: s.ns.srv.retryAfter(), Err: ErrUserLimit}
}

// User is who SetUser has said, also after the end of the socket; id is empty before.
func (s *Socket) User() (id string, info any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seat := s.seatLocked(); seat != nil {
		return seat.user.ID, seat.info
	}
	return "", nil
}

// inform changes what is kept for User, if it is the socket of that user already.
func (s *Socket) inform(id string, info any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seatLocked()
	if now == nil || now.user.ID != id || s.presence == left {
		return false
	}
	s.callbacks.seat = &seat{now.user, info}
	return true
}

// sit gives the socket another seat, unless it has left.
func (s *Socket) sit(next *seat) (old *seat, gone bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.presence == left {
		return nil, true
	}
	if s.callbacks == nil {
		s.callbacks = new(callbacks)
	}
	old, s.callbacks.seat = s.callbacks.seat, next
	return old, false
}

func (s *Socket) seatLocked() *seat {
	if s.callbacks == nil {
		return nil
	}
	return s.callbacks.seat
}

func (s *Socket) hasUser() bool { return s.seat() != nil }

// awaitUser closes the socket if it still has no user when the time for that is over.
func (s *Socket) awaitUser() {
	if s.ns.opts.AuthTimeout <= 0 || s.hasUser() {
		return
	}
	s.conn.Expect(s.ns.opts.AuthTimeout)
	if s.hasUser() { // since just now
		s.conn.Expect(0)
	}
}
