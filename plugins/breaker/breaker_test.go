package breaker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/breaker"
)

// target is the server behind the breaker.
type target struct {
	asked  atomic.Int32
	answer func(c *nextrush.Context) error
}

func (s *target) app(b *breaker.Breaker, log *bytes.Buffer) *nextrush.App {
	if log == nil {
		log = new(bytes.Buffer)
	}
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	app.Get("/", b.Handle, func(c *nextrush.Context) error { s.asked.Add(1); return s.answer(c) })
	return app
}

func ask(app http.Handler, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func ok(c *nextrush.Context) error   { return c.Text("ok") }
func fail(c *nextrush.Context) error { return nextrush.NewError(502) }

func TestItOpensAndCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &target{answer: ok}
		b := breaker.New(breaker.Options{Name: "api", Failures: 3, Open: 10 * time.Second, Trials: 2})
		app := s.app(b, &log)
		step := func(what string, answer nextrush.Handler, status int, asked bool, state string) {
			t.Helper()
			before := s.asked.Load()
			s.answer = answer
			w := ask(app)
			if w.Code != status || (s.asked.Load() > before) != asked || b.State() != state {
				t.Errorf("%s: %d, asked %t, %s", what, w.Code, s.asked.Load() > before, b.State())
			}
			if !asked && w.Header().Get("Retry-After") == "" {
				t.Errorf("%s: %v", what, w.Header())
			}
		}
		step("a failure", fail, 502, true, "closed")
		step("another", fail, 502, true, "closed")
		step("not in a row", ok, 200, true, "closed")
		step("a failure", fail, 502, true, "closed")
		step("another", fail, 502, true, "closed")
		step("the third in a row", fail, 502, true, "open")
		step("nobody is asked", ok, 503, false, "open")
		time.Sleep(4 * time.Second)
		if w := ask(app); w.Header().Get("Retry-After") != "6" {
			t.Errorf("Retry-After %s", w.Header().Get("Retry-After"))
		}
		time.Sleep(7 * time.Second)
		step("a trial fails", fail, 502, true, "open")
		step("nobody is asked again", ok, 503, false, "open")
		time.Sleep(11 * time.Second)
		step("a trial", ok, 200, true, "half-open")
		step("another", ok, 200, true, "closed")
		for _, state := range []string{"state=open", "state=half-open", "state=closed", "name=api"} {
			if !strings.Contains(log.String(), state) {
				t.Errorf("the log has no %s: %s", state, &log)
			}
		}
	})
}

func TestWhatFails(t *testing.T) {
	for name, test := range map[string]struct {
		answer nextrush.Handler
		opens  bool
	}{
		"an error":          {func(c *nextrush.Context) error { return errors.New("no") }, true},
		"an answer":         {func(c *nextrush.Context) error { return c.Status(500).Text("no") }, true},
		"a panic":           {func(c *nextrush.Context) error { panic("no") }, true},
		"the client's":      {func(c *nextrush.Context) error { return nextrush.NewError(404) }, false},
		"a success":         {ok, false},
		"no answer":         {func(c *nextrush.Context) error { return nil }, false},
		"the client's, 429": {func(c *nextrush.Context) error { return c.Status(429).Text("no") }, false},
	} {
		b := breaker.New(breaker.Options{Failures: 1})
		s := &target{answer: test.answer}
		ask(s.app(b, nil))
		if opens := b.State() == "open"; opens != test.opens {
			t.Errorf("%s: %s", name, b.State())
		}
	}
	b := breaker.New(breaker.Options{Failures: 1, Failed: func(_ *nextrush.Context, err error) bool { return nextrush.StatusOf(err) == 404 }})
	s := &target{answer: fail}
	app := s.app(b, nil)
	if ask(app); b.State() != "closed" {
		t.Error("its own rule does not count")
	}
	s.answer = func(c *nextrush.Context) error { return nextrush.NewError(404) }
	if ask(app); b.State() != "open" {
		t.Error("its own rule does not count")
	}
}

func TestClientsThatGoAndStreamsDoNotCount(t *testing.T) {
	b := breaker.New(breaker.Options{Failures: 1})
	s := &target{answer: func(c *nextrush.Context) error { return c.Context().Err() }}
	app := s.app(b, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
	s.answer = fail
	ask(app, "Accept", "text/event-stream")
	ask(app, "Upgrade", "websocket")
	if b.State() != "closed" {
		t.Fatal(b.State())
	}
	ask(app)
	before := s.asked.Load()
	for _, header := range [][]string{{"Accept", "text/event-stream"}, {"Upgrade", "websocket"}, nil} {
		if w := ask(app, header...); w.Code != 503 {
			t.Errorf("%v: %d", header, w.Code)
		}
	}
	if s.asked.Load() != before {
		t.Error("asked while it is open")
	}
}

func TestOneTrialAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := breaker.New(breaker.Options{Failures: 1})
		s := &target{answer: fail}
		app := s.app(b, nil)
		ask(app)
		time.Sleep(31 * time.Second)
		s.answer = func(c *nextrush.Context) error { time.Sleep(time.Second); return ok(c) }
		var served, refused atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if ask(app).Code == 200 {
					served.Add(1)
				} else {
					refused.Add(1)
				}
			})
		}
		wg.Wait()
		if served.Load() != 1 || refused.Load() != 49 || b.State() != "closed" {
			t.Errorf("%d served, %d refused, %s", served.Load(), refused.Load(), b.State())
		}
	})
}

func TestItStandsBeforeAProxy(t *testing.T) {
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.WriteHeader(500)
	}))
	defer server.Close()
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Any("/", breaker.New().Handle, middleware.ReverseProxy(server.URL))
	for range 20 {
		ask(app)
	}
	if n := asked.Load(); n != 5 {
		t.Errorf("asked %d times", n)
	}
}

func TestMistakesPanic(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	breaker.New(breaker.Options{Trials: -1})
}

func Example() {
	b := breaker.New(breaker.Options{Failures: 1})
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Get("/", b.Handle, func(c *nextrush.Context) error { return nextrush.NewError(502) })
	fmt.Println(ask(app).Code, ask(app).Code, b.State())
	// Output: 502 503 open
}
