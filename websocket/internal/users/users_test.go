package users

import (
	"fmt"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/limit"
)

func count(t *testing.T, us *Users, known, left, anonymous int) {
	t.Helper()
	if k, l, a := us.Count(); k != known || l != left || a != anonymous {
		t.Errorf("%d are known, %d have left, %d sockets are of nobody, want %d, %d, %d", k, l, a, known, left, anonymous)
	}
}

func TestUsersHaveAsManySocketsAsAllowed(t *testing.T) {
	us := &Users{Most: 2}
	one, two := us.Enter("ann", 0, false), us.Enter("ann", 0, false)
	if one == nil || one != two || us.Enter("ann", 0, false) != nil || us.Enter("bob", 0, false) == nil {
		t.Error("not two of each")
	}
	us.Leave(one, 0)
	if us.Enter("ann", 0, false) != one {
		t.Error("no place after one has left")
	}
	us.Leave(one, 0)
	us.Leave(one, 0)
	count(t, us, 1, 0, 0)
}

func TestNobodysSocketsAreLimited(t *testing.T) {
	us := new(Users)
	if !us.Arrive(1) || us.Arrive(1) || !us.Arrive(0) {
		t.Error("not one")
	}
	us.Named()
	us.Leave(nil, 0)
	count(t, us, 0, 0, 0)
}

func TestALimitIsRememberedUntilItIsFull(t *testing.T) {
	us := &Users{Rate: limit.Rate{Messages: 1, Burst: 2}}
	ann := us.Enter("ann", 1, false)
	var x limit.Limiter
	x.Shared = ann.Limit
	x.Take(new(limit.Rate), 1, 1)
	us.Leave(ann, 1)
	count(t, us, 1, 1, 0)
	if us.Enter("ann", int64(time.Second)/2, false) != ann {
		t.Error("who came back has a new limit")
	}
	us.Enter("bob", 1+int64(time.Second), false) // looks who may be forgotten: not ann, who is here
	count(t, us, 2, 0, 0)
	us.Leave(ann, int64(time.Second))
	us.Enter("bob", int64(time.Hour), false)
	count(t, us, 1, 0, 0)
}

// One that comes and goes does not keep others from being forgotten.
func TestUsersAreForgottenBesideOneThatComesAndGoes(t *testing.T) {
	us := Users{Rate: limit.Rate{Messages: 1, Burst: 60}}
	now := int64(1)
	for i := range 10_000 {
		for _, id := range []string{"restless", fmt.Sprint("user ", i)} {
			us.Leave(us.Enter(id, now, false), now)
		}
		now += int64(time.Second)
	}
	if known, left, _ := us.Count(); known > 200 || left > 200 {
		t.Errorf("%d departures and %d users are remembered", left, known)
	}
}
