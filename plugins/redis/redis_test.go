package redis_test

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/storetest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/redis"
)

var _ middleware.Store = (*redis.Store)(nil)

// server starts a Redis, and returns its URL and a function that stops it.
func server(t *testing.T) (url string, stop func()) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	cmd := exec.CommandContext(t.Context(), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatalf("%v: install redis-server", err)
	}
	stop = func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
	t.Cleanup(stop)
	url = "redis://127.0.0.1:" + port
	client := connect(t, url)
	for client.Ping(t.Context()).Err() != nil {
		if cmd.ProcessState != nil || t.Context().Err() != nil {
			t.Fatal("Redis does not answer")
		}
		<-time.After(10 * time.Millisecond)
	}
	return url, stop
}

func connect(t *testing.T, url string) *goredis.Client {
	t.Helper()
	o, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := goredis.NewClient(o)
	t.Cleanup(func() { client.Close() })
	return client
}

func open(t *testing.T, url string) *redis.Store {
	t.Helper()
	store, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	return store
}

func TestRedisIsAStore(t *testing.T) {
	url, _ := server(t)
	storetest.Run(t, open(t, url), func(d time.Duration) { <-time.After(d + 100*time.Millisecond) }) // Redis counts in ticks
	client := connect(t, url)
	for _, key := range client.Keys(t.Context(), "*").Val() {
		if ttl := client.TTL(t.Context(), key).Val(); ttl <= 0 || !strings.HasPrefix(key, redis.Prefix) {
			t.Errorf("%s stays for %v", key, ttl)
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
	url, stop := server(t)
	runs := 0
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
	stop()
	if w := ask(one, "GET"); w.Code != 200 {
		t.Errorf("GET without Redis: %d", w.Code)
	}
	if w := ask(one, "POST"); w.Code != 503 {
		t.Errorf("POST without Redis: %d", w.Code)
	}
}

func TestAMalformedURLIsAnError(t *testing.T) {
	if _, err := redis.Open("localhost"); err == nil {
		t.Error("taken")
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
