package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// limited is an App behind RateLimit with a clock of its own, from its start.
type limited struct {
	app *nextrush.App
	now time.Time
}

func newLimited(o middleware.RateLimitOptions) *limited {
	l := &limited{app: nextrush.New(), now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	o.Now = func() time.Time { return l.now }
	l.app.Use(middleware.RateLimit(o))
	l.app.Get("/", func(c *nextrush.Context) error { return c.NoContent() })
	return l
}

func (l *limited) get(peer string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.app.ServeHTTP(w, r)
	return w
}

func TestRateLimitTellsTheClientWhereItStands(t *testing.T) {
	l := newLimited(middleware.RateLimitOptions{Requests: 6, Burst: 2})
	for _, step := range []struct {
		wait                    time.Duration
		status                  int
		remaining, reset, retry string
	}{
		{0, 204, "1", "10", ""},
		{0, 204, "0", "20", ""},
		{0, 429, "0", "20", "10"},
		{9500 * time.Millisecond, 429, "0", "11", "1"},
		{500 * time.Millisecond, 204, "0", "20", ""},
		{time.Second, 429, "0", "19", "9"},
		{time.Hour, 204, "1", "10", ""},
	} {
		l.now = l.now.Add(step.wait)
		w := l.get("192.0.2.1:1")
		h := w.Header()
		if w.Code != step.status || h.Get("RateLimit-Limit") != "2" || h.Get("RateLimit-Remaining") != step.remaining ||
			h.Get("RateLimit-Reset") != step.reset || h.Get("Retry-After") != step.retry {
			t.Errorf("after %v: %d %v, want %+v", step.wait, w.Code, h, step)
		}
	}
}

func TestRateLimitByDefaultLets100RequestsPass(t *testing.T) {
	l := newLimited(middleware.RateLimitOptions{})
	passed := 0
	for range 150 {
		if l.get("192.0.2.1:1").Code == 204 {
			passed++
		}
	}
	if passed != 100 {
		t.Errorf("%d passed", passed)
	}
}

func TestRateLimitKnowsClientsApart(t *testing.T) {
	byKey := func(c *nextrush.Context) string { return c.Header("X-Key") }
	long := strings.Repeat("k", 64<<10)
	for name, test := range map[string]struct {
		key           func(*nextrush.Context) string
		first, second []string // peer, then header
		want          int
	}{
		"another port":                  {nil, []string{"192.0.2.1:1"}, []string{"192.0.2.1:2"}, 429},
		"another address":               {nil, []string{"192.0.2.1:1"}, []string{"192.0.2.2:1"}, 204},
		"an IPv6 network":               {nil, []string{"[2001:db8::1]:1"}, []string{"[2001:db8::ffff:2]:1"}, 429},
		"another IPv6 network":          {nil, []string{"[2001:db8::1]:1"}, []string{"[2001:db8:0:1::1]:1"}, 204},
		"IPv4 in IPv6":                  {nil, []string{"[::ffff:192.0.2.1]:1"}, []string{"[::ffff:192.0.2.2]:1"}, 204},
		"X-Forwarded-For from a client": {nil, []string{"192.0.2.1:1"}, []string{"192.0.2.1:1", "X-Forwarded-For", "192.0.2.9"}, 429},
		"no address":                    {nil, []string{"@"}, []string{"@"}, 429},
		"a key":                         {byKey, []string{"192.0.2.1:1", "X-Key", "a"}, []string{"192.0.2.2:1", "X-Key", "a"}, 429},
		"another key":                   {byKey, []string{"192.0.2.1:1", "X-Key", "a"}, []string{"192.0.2.1:1", "X-Key", "b"}, 204},
		"a long key":                    {byKey, []string{"192.0.2.1:1", "X-Key", long}, []string{"192.0.2.1:1", "X-Key", long}, 429},
		"another long key":              {byKey, []string{"192.0.2.1:1", "X-Key", long}, []string{"192.0.2.1:1", "X-Key", long + "k"}, 204},
		"an empty key":                  {byKey, []string{"192.0.2.1:1"}, []string{"192.0.2.1:1"}, 204},
	} {
		l := newLimited(middleware.RateLimitOptions{Requests: 1, Key: test.key})
		if w := l.get(test.first[0], test.first[1:]...); w.Code != 204 {
			t.Errorf("%s: the first: %d", name, w.Code)
		}
		if w := l.get(test.second[0], test.second[1:]...); w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}

func TestRateLimitForgetsTheKeyNotSeenForLongest(t *testing.T) {
	l := newLimited(middleware.RateLimitOptions{Requests: 1, MaxKeys: 2})
	for i, step := range []struct {
		peer string
		want int
	}{
		{"a:1", 204}, {"b:1", 204}, {"a:1", 429}, // b is now the oldest
		{"c:1", 204}, {"a:1", 429}, {"b:1", 204},
	} {
		if w := l.get(step.peer); w.Code != step.want {
			t.Errorf("%d: %s: %d, want %d", i, step.peer, w.Code, step.want)
		}
	}
}

// fixedStore answers as it is told.
type fixedStore struct{ err error }

func (s fixedStore) Take(_ context.Context, key string, b middleware.TokenBucket) (middleware.RateLimitState, error) {
	if len(key) > 64 || b != (middleware.TokenBucket{Burst: 2, Interval: 10 * time.Second}) {
		return middleware.RateLimitState{}, fmt.Errorf("asked for %q, %+v", key, b)
	}
	return middleware.RateLimitState{RetryAfter: time.Millisecond}, s.err
}

func TestRateLimitAsksTheStore(t *testing.T) {
	down := errors.New("down")
	for name, test := range map[string]struct {
		o    middleware.RateLimitOptions
		want int
	}{
		"that says no":                 {middleware.RateLimitOptions{Store: fixedStore{}}, 429},
		"that is down":                 {middleware.RateLimitOptions{Store: fixedStore{down}}, 503},
		"that is down and may be":      {middleware.RateLimitOptions{Store: fixedStore{down}, AllowOnError: true}, 204},
		"that says no and may be down": {middleware.RateLimitOptions{Store: fixedStore{}, AllowOnError: true}, 429},
	} {
		test.o.Requests, test.o.Burst = 6, 2
		w := newLimited(test.o).get("192.0.2.1:1")
		if w.Code != test.want || test.want == 429 && w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: %d %v, want %d", name, w.Code, w.Header(), test.want)
		}
	}
}

func TestRateLimitCountsExactlyFromManyGoroutines(t *testing.T) {
	l := newLimited(middleware.RateLimitOptions{Requests: 50})
	var passed int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				if l.get("192.0.2.1:1").Code == 204 {
					mu.Lock()
					passed++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if passed != 50 {
		t.Errorf("%d passed, want 50", passed)
	}
}

func TestRateLimitRefusesUpgrades(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.With(middleware.RateLimit(middleware.RateLimitOptions{Requests: 1})).
		WS("/", func(*websocket.Socket, *nextrush.Context) error { return nil })
	c := nextrushtest.New(t, app)
	c.Dial("/")
	if refusal := c.DialError("/"); refusal.Status != 429 || refusal.Header.Get("Retry-After") == "" {
		t.Errorf("%+v", refusal)
	}
}

func TestRateLimitRefusesMistakesAtSetUp(t *testing.T) {
	for name, o := range map[string]middleware.RateLimitOptions{
		"negative requests": {Requests: -1},
		"a negative window": {Window: -time.Second},
		"a negative burst":  {Burst: -1},
		"negative keys":     {MaxKeys: -1},
		"no time between":   {Requests: 2, Window: 1},
		"centuries":         {Requests: 1, Window: time.Hour, Burst: math.MaxInt},
	} {
		wantPanic(t, name, func() { middleware.RateLimit(o) })
	}
}

func ExampleRateLimit() {
	app := nextrush.New()
	api := app.Group("/api", middleware.RateLimit(middleware.RateLimitOptions{Requests: 60, Burst: 2}))
	api.Get("/users", func(c *nextrush.Context) error { return c.Text("all of them") })
	for range 3 {
		w := ask(app, "/api/users")
		fmt.Println(w.Code, w.Header().Get("RateLimit-Remaining"))
	}
	// Output:
	// 200 1
	// 200 0
	// 429 0
}
