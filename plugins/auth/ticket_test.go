package auth_test

import (
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
)

// withTickets adds the route where tickets are issued.
func withTickets(t *testing.T, a *auth.Plugin) *nextrush.App {
	app := withSockets(t, a)
	app.Post("/ticket", func(c *nextrush.Context) error {
		ticket, err := a.Ticket(c)
		if err != nil {
			return err
		}
		return c.Text(ticket)
	})
	return app
}

func ticketFor(t *testing.T, c *nextrushtest.Client, token string) string {
	t.Helper()
	return c.Do(request("POST", "/ticket", "Authorization", "Bearer "+token)).WantStatus(200).Text()
}

func TestTicketOpensOneSocket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		c := nextrushtest.New(t, withTickets(t, a))
		c.Post("/ticket", "").WantStatus(401)
		token := issue(t, a, auth.Principal{ID: "ann"})
		ticket := ticketFor(t, c, token)
		if len(ticket) < 26 || ticket == ticketFor(t, c, token) {
			t.Errorf("ticket %q", ticket)
		}
		c.Get("/me?ticket=" + ticket).WantStatus(401)
		c.Do(request("POST", "/ticket?ticket="+ticket, "Upgrade", "websocket")).WantStatus(401) // it would buy the next one
		c.Dial("/ws?ticket=" + ticket).Expect("hello ann")
		for name, ticket := range map[string]string{"used": ticket, "empty": "", "unknown": strings.Repeat("A", 26), "a token": token} {
			if e := c.DialError("/ws?ticket=" + ticket); e.Status != 401 {
				t.Errorf("%s: %v", name, e)
			}
		}
		ticket = ticketFor(t, c, token)
		time.Sleep(30 * time.Second)
		if e := c.DialError("/ws?ticket=" + ticket); e.Status != 401 {
			t.Errorf("after 30 s: %v", e)
		}
	})
}

func TestTicketLivesNoLongerThanItsToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opts := withSecret()
		opts.TTL, opts.TicketTTL = 20*time.Second, time.Minute
		a := auth.New(opts)
		c := nextrushtest.New(t, withTickets(t, a))
		s := c.Dial("/ws?ticket=" + ticketFor(t, c, issue(t, a, auth.Principal{ID: "ann"})))
		s.Expect("hello ann")
		late := ticketFor(t, c, issue(t, a, auth.Principal{ID: "ann"}))
		wantClose(t, s, 20*time.Second, "the token has expired")
		if e := c.DialError("/ws?ticket=" + late); e.Status != 401 {
			t.Errorf("got %v", e)
		}
	})
}

func TestTicketIsRedeemedOnceHoweverManyTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		app := withTickets(t, a)
		var in atomic.Int32
		app.Get("/try", func(c *nextrush.Context) error {
			if auth.User(c) != nil {
				in.Add(1)
			}
			return nil
		})
		c := nextrushtest.New(t, app)
		ticket := ticketFor(t, c, issue(t, a, auth.Principal{ID: "ann"}))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() { c.Do(request("GET", "/try?ticket="+ticket, "Connection", "Upgrade", "Upgrade", "websocket")) })
		}
		wg.Wait()
		if in.Load() != 1 {
			t.Errorf("%d got in", in.Load())
		}
	})
}

func TestNoMoreTicketsThanFitInMemoryAndNoUserTakesThemAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := auth.New(withSecret())
		app := withTickets(t, a)
		app.Get("/many", auth.Require(), func(c *nextrush.Context) error {
			for range 1000 {
				if _, err := a.Ticket(c); err != nil {
					return err
				}
			}
			return nil
		})
		c := nextrushtest.New(t, app)
		as := func(user int, method, path string) *nextrushtest.Response {
			token := issue(t, a, auth.Principal{ID: strconv.Itoa(user)})
			return c.Do(request(method, path, "Authorization", "Bearer "+token))
		}
		for user := range 100 {
			as(user, "POST", "/ticket").WantStatus(200)
			as(user, "GET", "/many").WantStatus(429) // the last is one too many
		}
		as(100, "POST", "/ticket").WantStatus(503)
		time.Sleep(30 * time.Second)
		as(0, "POST", "/ticket").WantStatus(200)
	})
}
