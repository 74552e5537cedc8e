package e2e

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
	"github.com/nextrush/nextrush/plugins/auth/authtest"
	"github.com/nextrush/nextrush/websocket"
)

// shared is what a store has that nodes share.
type shared interface {
	middleware.Store
	middleware.RateLimitStore
	auth.SharedStore
	Close() error
}

// storeServer is a server of stores that can be stopped and started.
type storeServer struct {
	open        func() (shared, error)
	start, stop func()
}

func TestNodesShareWhatTheyKeep(t *testing.T) {
	for name, serve := range map[string]func(*testing.T) storeServer{"Redis": serveRedis, "NATS": serveNATS} {
		t.Run(name, func(t *testing.T) {
			server := serve(t)
			server.start()
			var ran atomic.Int32
			one, two := newNode(t, server, &ran), newNode(t, server, &ran)
			eventsRunOnce(t, one, two, &ran)
			ticketsAreShared(t, one, two)
			limitsAreShared(t, one, two)
			answersAreShared(t, one, two)
			requestsRunOnce(t, one, two, &ran)
			server.stop()
			nodesGoOnWithoutTheStore(t, one)
			server.start()
			nodesShareAgain(t, one, two)
		})
	}
}

// node is one process of a program.
type node struct {
	*nextrushtest.Client
	store shared
	token string // of a user
}

func newNode(t *testing.T, server storeServer, ran *atomic.Int32) *node {
	store, err := server.open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	a := auth.New(auth.Options{Keys: []auth.Key{{Key: []byte("0123456789abcdef0123456789abcdef")}}, Tickets: auth.Tickets(store), TicketTTL: time.Hour})
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := app.Register(a); err != nil {
		t.Fatal(err)
	}
	app.EnableWebSocket(websocket.Options{})
	count := func(c *nextrush.Context) error { return c.CacheFor(time.Hour).Text(strconv.Itoa(int(ran.Add(1)))) }
	limit := middleware.RateLimitOptions{Requests: 10, Window: 10 * time.Hour, Store: store}
	app.Get("/limited", middleware.RateLimit(limit), count)
	limit.AllowOnError = true
	app.Get("/open", middleware.RateLimit(limit), count)
	app.Any("/cached", middleware.Cache(middleware.CacheOptions{Store: store}), count)
	app.Post("/once", middleware.Idempotency(middleware.IdempotencyOptions{Store: store, User: func(*nextrush.Context) string { return "bea" }}), count)
	app.Post("/ticket", auth.Require(), func(c *nextrush.Context) error {
		ticket, err := a.Ticket(c)
		if err != nil {
			return err
		}
		return c.Text(ticket)
	})
	once := websocket.OnceIn(store, time.Hour, 100)
	app.With(auth.Require()).WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		s.UseEvents(once)
		s.On("buy", func(e *websocket.Event) { e.Reply(ran.Add(1)) })
		return s.Send("hello " + auth.SocketUser(s).ID)
	})
	client := nextrushtest.New(t, app)
	token, err := a.Issue(auth.Principal{ID: "bea"})
	if err != nil {
		t.Fatal(err)
	}
	return &node{client, store, "Bearer " + token}
}

func (n *node) ticket() *nextrushtest.Response {
	return n.send("POST", "/ticket", "Authorization", n.token)
}

func (n *node) once(key string) *nextrushtest.Response {
	return n.send("POST", "/once", "Idempotency-Key", key)
}

func (n *node) send(method, path, header, value string) *nextrushtest.Response {
	r, _ := http.NewRequest(method, path, http.NoBody)
	r.Header.Set(header, value)
	return n.Do(r)
}

func ticketsAreShared(t *testing.T, one, two *node) {
	authtest.RunTickets(t, auth.Tickets(one.store), func(d time.Duration) { <-time.After(d + 2*time.Second) })
	ticket := one.ticket().WantStatus(200).Text()
	two.Dial("/ws?ticket=" + ticket).Expect("hello bea")
	for i, n := range []*node{one, two} {
		if e := n.DialError("/ws?ticket=" + ticket); e.Status != 401 {
			t.Errorf("again on node %d: %v", i, e)
		}
	}
	ticket = one.ticket().WantStatus(200).Text()
	var in atomic.Int32
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			r, _ := http.NewRequest("GET", "/ws?ticket="+ticket, http.NoBody)
			r.Header.Set("Connection", "Upgrade")
			r.Header.Set("Upgrade", "websocket")
			if []*node{one, two}[i%2].Do(r).StatusCode != 401 { // it is no whole handshake, but the ticket is looked at first
				in.Add(1)
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in with one ticket", in.Load())
	}
	for range 995 { // with those before
		one.ticket().WantStatus(200)
	}
	two.ticket().WantStatus(429)
}

func eventsRunOnce(t *testing.T, one, two *node, ran *atomic.Int32) {
	before := ran.Load()
	for _, n := range []*node{one, two, one} {
		s := n.Dial("/ws?ticket=" + n.ticket().WantStatus(200).Text())
		s.Expect("hello bea")
		if err := s.SendText(`{"type":"event","event":"buy","id":1,"key":"an order","data":[]}`); err != nil {
			t.Error(err)
		}
		s.Expect(fmt.Sprintf(`{"type":"ack","id":1,"data":[%d]}`, before+1))
	}
}

func limitsAreShared(t *testing.T, one, two *node) {
	for i := range 20 {
		status := 200
		if i >= 10 {
			status = 429
		}
		[]*node{one, two}[i%2].Get("/limited").WantStatus(status)
	}
}

func answersAreShared(t *testing.T, one, two *node) {
	first := one.Get("/cached").WantStatus(200).Text()
	two.Get("/cached").WantText(first).WantHeader("Cache-Status", "nextrush; hit")
	two.Post("/cached", "").WantStatus(200) // which removes it
	if again := one.Get("/cached").WantStatus(200).Text(); again == first {
		t.Error("a node answers with what another has removed")
	}
}

func requestsRunOnce(t *testing.T, one, two *node, ran *atomic.Int32) {
	first := one.once("a").WantStatus(200).Text()
	two.once("a").WantStatus(200).WantText(first).WantHeader("Idempotent-Replayed", "true")
	before := ran.Load()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if status := []*node{one, two}[i%2].once("b").StatusCode; status != 200 && status != 409 {
				t.Errorf("at once: %d", status)
			}
		})
	}
	wg.Wait()
	if n := ran.Load() - before; n != 1 {
		t.Errorf("it ran %d times", n)
	}
}

func nodesGoOnWithoutTheStore(t *testing.T, n *node) {
	n.Get("/limited").WantStatus(503)
	n.Get("/open").WantStatus(200)
	n.Get("/cached").WantStatus(200)
	n.once("a").WantStatus(503)
	n.Post("/once", "").WantStatus(200) // without a key
	n.ticket().WantStatus(503)
	if e := n.DialError("/ws?ticket=x"); e.Status != 503 {
		t.Errorf("an upgrade: %v", e)
	}
	opts := &websocket.DialOptions{Header: http.Header{"Authorization": {n.token}}}
	n.Dial("/ws", opts).Expect("hello bea")
}

// nodesShareAgain is for a server that comes back without what it had.
func nodesShareAgain(t *testing.T, one, two *node) {
	for _, n := range []*node{one, two} {
		for n.store.Set(context.Background(), "back", []byte("x"), time.Minute) != nil {
			if t.Context().Err() != nil {
				t.Fatal("the store does not come back")
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	two.Dial("/ws?ticket=" + one.ticket().WantStatus(200).Text()).Expect("hello bea")
	one.Get("/limited").WantStatus(200)
	two.once("c").WantText(one.once("c").WantStatus(200).Text())
}
