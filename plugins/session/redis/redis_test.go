package redis_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/redistest"
	"github.com/nextrush/nextrush/plugins/session"
	"github.com/nextrush/nextrush/plugins/session/internal/storetest"
	"github.com/nextrush/nextrush/plugins/session/redis"
)

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

func newApp(t *testing.T, url string) *nextrush.App {
	t.Helper()
	store, err := redis.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	app := nextrush.New()
	app.Register(session.New(session.Options{Store: store, Lifetime: time.Hour}))
	app.Get("/put/:v", func(c *nextrush.Context) error {
		session.Put(c, "v", c.Param("v"))
		return c.Text("put")
	})
	app.Get("/get", func(c *nextrush.Context) error {
		v, _ := session.Get[string](c, "v")
		return c.Text(v)
	})
	app.Get("/renew", func(c *nextrush.Context) error { return session.Renew(c) })
	app.Get("/destroy", func(c *nextrush.Context) error { return session.Destroy(c) })
	return app
}

// get sends a request with a cookie and returns the answer and the cookie to use next.
func get(app http.Handler, path string, cookie *http.Cookie) (*httptest.ResponseRecorder, *http.Cookie) {
	r := httptest.NewRequest("GET", path, nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return w, cookie
}

func TestSessionsAreSeenByAllProcesses(t *testing.T) {
	url := redistest.Start(t).URL()
	one, two := newApp(t, url), newApp(t, url)
	_, cookie := get(one, "/put/ada", nil)
	if w, _ := get(two, "/get", cookie); w.Body.String() != "ada" {
		t.Errorf("the other process has %q", w.Body)
	}
	client := connect(t, url)
	keys := client.Keys(t.Context(), redis.Prefix+"*").Val()
	if len(keys) != 1 || strings.Contains(keys[0], cookie.Value) {
		t.Fatalf("keys %v, cookie %s", keys, cookie.Value)
	}
	if ttl := client.TTL(t.Context(), keys[0]).Val(); ttl <= 0 || ttl > time.Hour {
		t.Errorf("Redis keeps it for %v", ttl)
	}
	_, renewed := get(two, "/renew", cookie)
	if w, _ := get(one, "/get", cookie); w.Body.String() != "" {
		t.Errorf("the id before is still good for %q", w.Body)
	}
	if w, _ := get(one, "/get", renewed); w.Body.String() != "ada" {
		t.Errorf("the new id has %q", w.Body)
	}
	get(one, "/destroy", renewed)
	if n := client.DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys stay", n)
	}
}

func TestRequestsFailWhileRedisIsAway(t *testing.T) {
	server := redistest.Start(t)
	url := server.URL()
	app := newApp(t, url)
	_, cookie := get(app, "/put/ada", nil)
	server.Kill()
	if w, _ := get(app, "/get", cookie); w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "ada") {
		t.Errorf("%d %q", w.Code, w.Body)
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
	app.Register(session.New(session.Options{Store: store}))
	fmt.Println(redis.Prefix)
	// Output: scs:session:
}

var _ session.Updater = (*redis.Store)(nil)

func TestRedisKeepsWhatEndedAndWhatChanged(t *testing.T) {
	url := redistest.Start(t).URL()
	var processes []session.Options
	for range 2 {
		store, err := redis.Open(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		processes = append(processes, session.Options{Store: store})
	}
	storetest.Run(t, processes...)
}
