package auth_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/auth/authtest"
)

func TestTicketsAreATicketStore(t *testing.T) {
	for name, newStore := range map[string]func() auth.TicketStore{
		"memory": auth.NewMemoryTickets,
		"shared": func() auth.TicketStore { return auth.Tickets(middleware.NewMemoryStore(1 << 20)) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { authtest.RunTickets(t, newStore(), time.Sleep) })
		})
	}
}

func TestAUserGetsAThousandTicketsOfASharedStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := auth.Tickets(middleware.NewMemoryStore(1 << 20))
		ann, bob := &auth.Principal{ID: "ann"}, &auth.Principal{ID: "bob"}
		for i := range 1000 {
			if err := store.Put(t.Context(), strconv.Itoa(i), ann, time.Minute); err != nil {
				t.Fatal(i, err)
			}
		}
		var refused *nextrush.HTTPError
		if err := store.Put(t.Context(), "one more", ann, time.Minute); !errors.As(err, &refused) || refused.Status != 429 {
			t.Error(err)
		}
		if p, err := store.Take(t.Context(), "one more"); p != nil || err != nil {
			t.Errorf("it is valid: %v, %v", p, err)
		}
		if err := store.Put(t.Context(), "bob's", bob, time.Minute); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if err := store.Put(t.Context(), "later", ann, time.Minute); err != nil {
			t.Error(err)
		}
	})
}

func TestATicketOpensASocketOfAnotherProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := middleware.NewMemoryStore(1 << 20)
		var clients []*nextrushtest.Client
		var token string
		for range 2 {
			opts := withSecret()
			opts.Tickets = auth.Tickets(store)
			a := auth.New(opts)
			clients = append(clients, nextrushtest.New(t, withTickets(t, a)))
			token = issue(t, a, auth.Principal{ID: "ann"})
		}
		ticket := ticketFor(t, clients[0], token)
		clients[1].Dial("/ws?ticket=" + ticket).Expect("hello ann")
		for i, c := range clients {
			if e := c.DialError("/ws?ticket=" + ticket); e.Status != 401 {
				t.Errorf("again on %d: %v", i, e)
			}
		}
	})
}

// downStore is one that cannot be reached.
type downStore struct{}

var errDown = errors.New("down")

func (downStore) Put(context.Context, string, *auth.Principal, time.Duration) error { return errDown }
func (downStore) Take(context.Context, string) (*auth.Principal, error)             { return nil, errDown }

func TestWithoutItsStoreNoTicketIsGivenOrTaken(t *testing.T) {
	opts := withSecret()
	opts.Tickets = downStore{}
	a := auth.New(opts)
	c := nextrushtest.New(t, withTickets(t, a))
	token := issue(t, a, auth.Principal{ID: "ann"})
	c.Do(request("POST", "/ticket", "Authorization", "Bearer "+token)).WantStatus(503)
	if e := c.DialError("/ws?ticket=x"); e.Status != 503 {
		t.Errorf("an upgrade: %v", e)
	}
	c.Do(request("GET", "/me", "Authorization", "Bearer "+token)).WantStatus(200)
}
