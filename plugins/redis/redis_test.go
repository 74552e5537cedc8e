package redis_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/middleware/storetest"
	"github.com/nextrush/nextrush/plugins/redis"
)

var (
	_ middleware.Store          = (*redis.Store)(nil)
	_ middleware.RateLimitStore = (*redis.Store)(nil)
)

func open(t *testing.T, url string) *redis.Store {
	t.Helper()
	store, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

// tick is what Redis, which looks at its clock now and then, may be late by.
const tick = 100 * time.Millisecond

func wait(d time.Duration) { <-time.After(d + tick) }

func TestRedisIsAStore(t *testing.T) {
	for name, start := range map[string]func(*testing.T) (string, string){"one": one, "Sentinel": underSentinel, "Cluster": cluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, server := start(t)
			store := open(t, url)
			storetest.Run(t, store, wait)
			storetest.RunRateLimit(t, store, wait)
			client := connect(t, server)
			keys := client.Keys(t.Context(), "*").Val()
			for _, key := range keys {
				if ttl := client.TTL(t.Context(), key).Val(); ttl == -1 || !strings.HasPrefix(key, redis.Prefix) {
					t.Errorf("%s stays for ever", key)
				}
			}
			if len(keys) == 0 {
				t.Error("there are no keys")
			}
		})
	}
}

func TestTheUserOfThePageMayDoAllThatIsNeeded(t *testing.T) {
	port := strconv.Itoa(freeport.Get(t))
	s := redistest.Start(t, append(append(redistest.Trusted(t).Args(t, port), "--user", "app"), redistest.Rules(t, "../../docs/caching.md")[0]...)...)
	store := open(t, "rediss://app:password@127.0.0.1:"+port)
	storetest.Run(t, store, wait)
	storetest.RunRateLimit(t, store, wait)
	s.Denied()
}

func TestProgramsWithOtherPrefixesShareNothing(t *testing.T) {
	url := redistest.Start(t).URL()
	var stores []*redis.Store
	for _, prefix := range []string{"a:", "b:"} {
		s, err := redis.New(redis.Options{URL: url, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		stores = append(stores, s)
	}
	b := middleware.TokenBucket{Burst: 1, Interval: time.Hour}
	for i, s := range stores {
		if existing, err := s.Add(t.Context(), "key", []byte("x"), time.Hour); existing != nil || err != nil {
			t.Errorf("%d: %q, %v", i, existing, err)
		}
		if state, err := s.Take(t.Context(), "secret", b); !state.Allowed || err != nil {
			t.Errorf("%d: %+v, %v", i, state, err)
		}
	}
	for _, key := range connect(t, url).Keys(t.Context(), "*").Val() {
		if !strings.HasPrefix(key, "a:") && !strings.HasPrefix(key, "b:") || strings.Contains(key, "secret") {
			t.Error(key)
		}
	}
}

// A bucket that is full again is not kept, whatever its limits.
func TestABucketIsKeptUntilItIsFull(t *testing.T) {
	url := redistest.Start(t).URL()
	store, client := open(t, url), connect(t, url)
	for _, b := range []middleware.TokenBucket{{Burst: 2, Interval: time.Minute}, {Burst: 1, Interval: time.Microsecond}} {
		if _, err := store.Take(t.Context(), b.Interval.String(), b); err != nil {
			t.Fatal(err)
		}
	}
	wait(0)
	keys := client.Keys(t.Context(), "*").Val()
	if len(keys) != 1 {
		t.Fatalf("%d are kept", len(keys))
	}
	if ttl := client.PTTL(t.Context(), keys[0]).Val(); ttl > time.Minute || ttl < 30*time.Second {
		t.Errorf("it is kept for %v", ttl)
	}
	// The clock was an hour ahead when this was kept.
	at := time.Now().Add(time.Hour).UnixMicro()
	b := middleware.TokenBucket{Burst: 2, Interval: time.Minute}
	client.Set(t.Context(), keys[0], fmt.Sprintf("%d %d", 2*time.Minute, at), time.Minute)
	for range 2 {
		if state, err := store.Take(t.Context(), "1m0s", b); err != nil || state.Allowed || state.RetryAfter > time.Minute {
			t.Errorf("after the clock was set back: %+v, %v", state, err)
		}
	}
	if kept := client.Get(t.Context(), keys[0]).Val(); strings.HasSuffix(kept, fmt.Sprint(at)) {
		t.Error("the bucket waits for the clock")
	}
}

// More wait than there are connections, and each no longer than the others.
func TestAServerThatHangsHoldsNobodyForLong(t *testing.T) {
	server := redistest.Start(t)
	store := open(t, server.URL())
	b := middleware.TokenBucket{Burst: 1000, Interval: time.Hour}
	if _, err := store.Take(t.Context(), "key", b); err != nil {
		t.Fatal(err)
	}
	server.Signal(syscall.SIGSTOP)
	defer server.Signal(syscall.SIGCONT)
	var wg sync.WaitGroup
	began := time.Now()
	for range 200 {
		wg.Go(func() {
			if _, err := store.Take(t.Context(), "key", b); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if after := time.Since(began); after > 30*time.Second {
		t.Errorf("it took %v", after)
	}
	server.Signal(syscall.SIGCONT)
	for {
		state, err := store.Take(t.Context(), "key", b)
		if err == nil {
			if state.Remaining < b.Burst-202 { // what was sent may have been done, but not twice
				t.Errorf("%d are left", state.Remaining)
			}
			return
		}
	}
}

// newApp is one process of a program.
func newApp(t *testing.T, url string, runs *int) *nextrush.App {
	store := open(t, url)
	app := nextrush.New()
	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
	app.Use(middleware.Idempotency(middleware.IdempotencyOptions{Store: store, User: func(c *nextrush.Context) string { return "ada" }}))
	app.Any("/", func(c *nextrush.Context) error {
		*runs++
		return c.CacheFor(time.Hour).Text(fmt.Sprint("run ", *runs))
	})
	return app
}

func ask(app http.Handler, method string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "/", nil)
	r.Header.Set("Idempotency-Key", "secret-key")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestProcessesShareAnswers(t *testing.T) {
	server := redistest.Start(t)
	url, runs := server.URL(), 0
	one, two := newApp(t, url, &runs), newApp(t, url, &runs)
	for _, step := range []struct {
		app    *nextrush.App
		method string
		want   string
	}{
		{one, "GET", "run 1"}, {two, "GET", "run 1"},
		{two, "POST", "run 2"}, {one, "POST", "run 2"}, // which removes what is cached
		{one, "GET", "run 3"}, {two, "GET", "run 3"},
	} {
		if got := ask(step.app, step.method).Body.String(); got != step.want {
			t.Errorf("%s: %q, want %q", step.method, got, step.want)
		}
	}
	for _, key := range connect(t, url).Keys(t.Context(), "*").Val() {
		if strings.Contains(key, "secret") || strings.Contains(key, "ada") || strings.Contains(key, "example") {
			t.Errorf("the key %s tells", key)
		}
	}
	server.Kill()
	if w := ask(one, "GET"); w.Code != 200 {
		t.Errorf("GET without Redis: %d", w.Code)
	}
	if w := ask(one, "POST"); w.Code != 503 {
		t.Errorf("POST without Redis: %d", w.Code)
	}
}

func Example() {
	store, err := redis.Open("redis://localhost:6379/0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer store.Close()
	app := nextrush.New()
	app.Use(middleware.Cache(middleware.CacheOptions{Store: store}))
	fmt.Println(redis.Prefix)
	// Output: nextrush:
}
