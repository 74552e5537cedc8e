package websocket

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/limit"
)

// Close codes that say what HTTP would: 4000 and a status.
const (
	statusUnauthorized = 4401
	statusTooMany      = 4429
)

const (
	maxUserID = 256         // bytes
	maxMemory = time.Minute // for which a limit is remembered after the user's last socket
)

// ErrUserLimit is what the error of SetUser is if the user has as many sockets as
// Options.MaxConnectionsPerUser allows.
var ErrUserLimit = errors.New("websocket: too many connections of this user")

// users are those that sockets of a server belong to.
type users struct {
	mu        sync.Mutex // guards the fields below
	byID      map[string]*user
	left      []*user // those whose last socket has left, and whose limit is still remembered
	anonymous int     // sockets and upgrades under way that belong to nobody yet
}

// user is somebody who has sockets; limit is theirs together, nil if there is none.
type user struct {
	id      string
	limit   *limit.Shared
	sockets int // guarded by users, as forget is
	forget  int64
}

// seat is a socket's user. It never changes.
type seat struct {
	user *user
	info any
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
	u, err := s.ns.users.enter(id, &s.ns.opts, s.ns.loop.Now())
	if err != nil {
		err.Header = s.ns.srv.retryAfter()
		s.ns.stats.reject("connectionsPerUser")
		s.conn.Close(statusTooMany, "too many connections of this user")
		return err
	}
	old, left := s.sit(&seat{u, info})
	if left {
		s.ns.users.leave(u, s.ns.loop.Now())
		return ErrClosed
	}
	if old == nil {
		s.ns.users.named()
		s.conn.Expect(0)
	} else {
		s.ns.users.leave(old.user, s.ns.loop.Now())
	}
	if u.limit != nil {
		s.conn.Share(u.limit)
	}
	if srv := s.ns.srv; srv != nil && srv.kept != nil {
		s.show(s.Rooms())
	}
	return nil
}

// User is who SetUser has said, also after the end of the socket; id is empty before.
func (s *Socket) User() (id string, info any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seat := s.seatLocked(); seat != nil {
		return seat.user.id, seat.info
	}
	return "", nil
}

// inform changes what is kept for User, if it is the socket of that user already.
func (s *Socket) inform(id string, info any) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.seatLocked()
	if now == nil || now.user.id != id || s.presence == left {
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

func (s *Socket) hasUser() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seatLocked() != nil
}

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

// arrive counts a socket that belongs to nobody yet, unless there are max; 0: no limit.
func (us *users) arrive(max int) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	if max > 0 && us.anonymous >= max {
		return false
	}
	us.anonymous++
	return true
}

// named counts out such a socket.
func (us *users) named() {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.anonymous--
}

// enter counts a socket of a user in.
func (us *users) enter(id string, opts *Options, now int64) (*user, *HandshakeError) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.forgetLocked(now)
	u := us.byID[id]
	if u == nil {
		u = &user{id: id}
		if l := opts.UserRateLimit; l != (RateLimit{}) {
			u.limit = limit.NewShared(limit.Rate(l))
		}
		if us.byID == nil {
			us.byID = make(map[string]*user)
		}
		us.byID[id] = u
	}
	if max := opts.MaxConnectionsPerUser; max > 0 && u.sockets >= max {
		return nil, &HandshakeError{Status: http.StatusTooManyRequests, Message: "too many connections of this user",
			Err: ErrUserLimit}
	}
	u.sockets++
	return u, nil
}

// leave counts it out. Who has a limit is remembered until that has nothing to say any
// more: else a new socket would begin with a full bucket.
func (us *users) leave(u *user, now int64) {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.forgetLocked(now)
	if u.sockets--; u.sockets > 0 {
		return
	}
	if u.limit == nil {
		delete(us.byID, u.id)
		return
	}
	u.forget = now + int64(min(u.limit.Refill(), maxMemory))
	us.left = append(us.left, u)
}

// forgetLocked forgets those who have left long enough ago, in about that order.
func (us *users) forgetLocked(now int64) {
	for len(us.left) > 0 && us.left[0].forget <= now {
		if u := us.left[0]; u.sockets == 0 && us.byID[u.id] == u {
			delete(us.byID, u.id)
		}
		us.left = us.left[1:]
	}
}

// vacate counts a socket out that has left; seat is nil if it belongs to nobody.
func (us *users) vacate(seat *seat, now int64) {
	if seat == nil {
		us.named()
		return
	}
	us.leave(seat.user, now)
}
