package middleware_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// crowd is an App behind Concurrency whose handlers run until they are let go.
type crowd struct {
	app  *nextrush.App
	hold chan struct{}

	mu      sync.Mutex // guards what follows
	running int
	paths   []string // in the order in which they began
	codes   []int    // in the order in which they were answered
}

func newCrowd(o middleware.ConcurrencyOptions) *crowd {
	g := &crowd{app: nextrush.New(), hold: make(chan struct{})}
	g.app.Use(middleware.Concurrency(o))
	g.app.Any("/:name", func(c *nextrush.Context) error {
		g.mu.Lock()
		g.running++
		g.paths = append(g.paths, c.Path())
		g.mu.Unlock()
		<-g.hold
		g.mu.Lock()
		g.running--
		g.mu.Unlock()
		return c.NoContent()
	})
	return g
}

// start sends a request and returns when it runs, waits or has been answered.
func (g *crowd) start(ctx context.Context, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	go func() {
		g.app.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", path, nil))
		g.mu.Lock()
		g.codes = append(g.codes, w.Code)
		g.mu.Unlock()
	}()
	synctest.Wait()
	return w
}

// end lets one request go, if one runs.
func (g *crowd) end() {
	g.hold <- struct{}{}
	synctest.Wait()
}

func (g *crowd) want(t *testing.T, running int, codes ...int) {
	t.Helper()
	if g.running != running || !slices.Equal(g.codes, codes) {
		t.Errorf("%d run, answered %v; want %d and %v", g.running, g.codes, running, codes)
	}
}

func TestConcurrencyServesTheQueueInOrderAndSendsTheRestAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCrowd(middleware.ConcurrencyOptions{Max: 2, Queue: 2, RetryAfter: 90 * time.Second})
		for _, path := range []string{"/a", "/b", "/c", "/d"} {
			g.start(t.Context(), path)
		}
		g.want(t, 2)
		if w := g.start(t.Context(), "/e"); w.Code != 503 || w.Header().Get("Retry-After") != "90" {
			t.Errorf("over the queue: %d %v", w.Code, w.Header())
		}
		g.end()
		g.want(t, 2, 503, 204)
		g.start(t.Context(), "/f")
		for range 4 {
			g.end()
		}
		g.want(t, 0, 503, 204, 204, 204, 204, 204)
		if want := []string{"/a", "/b", "/c", "/d", "/f"}; !slices.Equal(g.paths, want) {
			t.Errorf("began %v", g.paths)
		}
	})
}

func TestConcurrencyWithoutAQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newCrowd(middleware.ConcurrencyOptions{Max: 1, Queue: -1})
		g.start(t.Context(), "/a")
		g.start(t.Context(), "/b")
		g.want(t, 1, 503)
		g.end()
	})
}

func TestConcurrencyStopsWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		leave bool
		want  int
	}{
		"when the client goes":   {true, 499},
		"when it takes too long": {false, 503},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := newCrowd(middleware.ConcurrencyOptions{Max: 1, Queue: 1, MaxWait: time.Minute})
			g.start(t.Context(), "/a")
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			w := g.start(ctx, "/b")
			if test.leave {
				leave()
			} else {
				<-time.After(time.Minute)
			}
			synctest.Wait()
			if g.running != 1 || w.Code != test.want {
				t.Errorf("%s: %d, %d run", name, w.Code, g.running)
			}
			g.start(t.Context(), "/c") // in the place of b
			g.want(t, 1, test.want)
			g.end()
			g.end()
			g.want(t, 0, test.want, 204, 204)
		})
	}
}

func TestConcurrencyFreesTheSlotOfWhatFails(t *testing.T) {
	for name, h := range map[string]nextrush.Handler{
		"a panic":  func(*nextrush.Context) error { panic("no") },
		"an error": func(*nextrush.Context) error { return nextrush.NewError(500) },
	} {
		app := nextrush.New()
		app.Use(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 1, Queue: -1}))
		app.Get("/", h)
		for range 3 {
			if w := ask(app, "/"); w.Code != 500 {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
	}
}

func TestConcurrencyNeverLetsMoreRun(t *testing.T) {
	var running, most atomic.Int64
	app := nextrush.New()
	app.Use(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 3, Queue: 100}))
	app.Get("/", func(c *nextrush.Context) error {
		now := running.Add(1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		defer running.Add(-1)
		return c.NoContent()
	})
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			for range 20 {
				if w := ask(app, "/"); w.Code != 204 {
					t.Errorf("%d", w.Code)
				}
			}
		})
	}
	wg.Wait()
	if most.Load() > 3 {
		t.Errorf("%d ran at once", most.Load())
	}
}

func TestConcurrencyCountsSocketsUntilTheyAreOpen(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.With(middleware.Concurrency(middleware.ConcurrencyOptions{Max: 1, MaxWait: time.Minute})).
		WS("/", func(s *websocket.Socket, _ *nextrush.Context) error { return s.Send("open") })
	c := nextrushtest.New(t, app)
	for range 3 {
		c.Dial("/").Expect("open")
	}
}

func TestConcurrencyRefusesMistakesAtSetUp(t *testing.T) {
	wantPanic(t, "a negative Max", func() { middleware.Concurrency(middleware.ConcurrencyOptions{Max: -1}) })
	wantPanic(t, "a negative wait", func() { middleware.Concurrency(middleware.ConcurrencyOptions{MaxWait: -1}) })
}

func ExampleConcurrency() {
	app := nextrush.New()
	reports := app.Group("/reports", middleware.Concurrency(middleware.ConcurrencyOptions{Max: 4, Queue: 20}))
	reports.Get("/year", func(c *nextrush.Context) error { return c.Text("takes a while") })
	fmt.Println(ask(app, "/reports/year").Body)
	// Output: takes a while
}
