// Package users counts the sockets of users and of nobody, and keeps the limit that a
// user's sockets share. It knows no socket.
package users

import (
	"sync"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/limit"
)

const maxMemory = time.Minute // for which a limit is remembered after the user's last socket

// Users are those that sockets of a server belong to. The zero value has none and no
// limits. Its methods are safe from any goroutine; now is in nanoseconds.
type Users struct {
	Most int        // sockets of a user; 0: no limit
	Rate limit.Rate // of what the sockets of a user receive

	mu        sync.Mutex // guards the fields below
	byID      map[string]*User
	left      []departure
	anonymous int // sockets and upgrades under way that belong to nobody yet
}

// User is somebody who has sockets.
type User struct {
	ID    string
	Limit *limit.Shared // of them together; nil: none

	sockets int   // guarded by Users, as forget is
	forget  int64 // when, if nobody has come by then
}

// departure is that of a user's last socket, whose limit is remembered until then.
type departure struct {
	user  *User
	until int64
}

// Arrive counts a socket that belongs to nobody yet, unless there are max; 0: no limit.
func (us *Users) Arrive(max int) bool {
	us.mu.Lock()
	defer us.mu.Unlock()
	if max > 0 && us.anonymous >= max {
		return false
	}
	us.anonymous++
	return true
}

// Named counts out such a socket.
func (us *Users) Named() {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.anonymous--
}

// Enter counts a socket of a user in; nil: there are as many as may be, and it does not take
// the place of another.
func (us *Users) Enter(id string, now int64, takes bool) *User {
	us.mu.Lock()
	defer us.mu.Unlock()
	us.forgetLocked(now)
	u := us.byID[id]
	if u == nil {
		u = &User{ID: id}
		if us.Rate != (limit.Rate{}) {
			u.Limit = limit.NewShared(us.Rate)
		}
		if us.byID == nil {
			us.byID = make(map[string]*User)
		}
		us.byID[id] = u
	}
	if us.Most > 0 && u.sockets >= us.Most && !takes {
		return nil
	}
	u.sockets++
	return u
}

// Leave counts it out; u is nil if it belongs to nobody. Who has a limit is remembered
// until that has nothing to say any more: else a new socket would begin with a full
// bucket.
func (us *Users) Leave(u *User, now int64) {
	if u == nil {
		us.Named()
		return
	}
	us.mu.Lock()
	defer us.mu.Unlock()
	us.forgetLocked(now)
	if u.sockets--; u.sockets > 0 {
		return
	}
	if u.Limit == nil {
		delete(us.byID, u.ID)
		return
	}
	u.forget = now + int64(min(u.Limit.Refill(), maxMemory))
	us.left = append(us.left, departure{u, u.forget})
}

// forgetLocked forgets those who have left long enough ago, in about that order.
func (us *Users) forgetLocked(now int64) {
	n := 0
	for n < len(us.left) && us.left[n].until <= now {
		if u := us.left[n].user; u.sockets == 0 && u.forget <= now && us.byID[u.ID] == u { // else it has left again since
			delete(us.byID, u.ID)
		}
		n++
	}
	clear(us.left[:n])
	us.left = us.left[n:]
}

// Count is how many users are known, how many departures of last sockets are remembered,
// and how many sockets belong to nobody.
func (us *Users) Count() (known, left, anonymous int) {
	us.mu.Lock()
	defer us.mu.Unlock()
	return len(us.byID), len(us.left), us.anonymous
}
