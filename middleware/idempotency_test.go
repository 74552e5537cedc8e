package middleware_test

import (
	"errors"
	"fmt"
	"io"
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
)

func byUser(c *nextrush.Context) string { return c.Header("X-User") }

func idempotent(o middleware.IdempotencyOptions, h nextrush.Handler) *nextrush.App {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	if o.User == nil {
		o.User = byUser
	}
	app.Use(middleware.RequestID(), middleware.Idempotency(o))
	app.Any("/*path", h)
	return app
}

func pay(app http.Handler, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestIdempotencyGivesTheSameAnswerAgain(t *testing.T) {
	runs := 0
	app := idempotent(middleware.IdempotencyOptions{}, func(c *nextrush.Context) error {
		runs++
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		c.SetHeader("Location", "/payments/1").SetCookie(&http.Cookie{Name: "secret", Value: "x"})
		return c.Status(201).JSON(fmt.Sprint(runs, string(body)))
	})
	first := pay(app, "/pay?a", `{"n":1}`, "Idempotency-Key", `"k-1"`)
	again := pay(app, "/pay?a", `{"n":1}`, "Idempotency-Key", "k-1") // as some clients write it
	for name, w := range map[string]*httptest.ResponseRecorder{"first": first, "again": again} {
		if w.Code != 201 || w.Body.String() != "\"1{\\\"n\\\":1}\"\n" || w.Header().Get("Location") != "/payments/1" || !strings.Contains(w.Header().Get("Content-Type"), "json") {
			t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
		}
	}
	if first.Header().Get("Idempotent-Replayed") != "" || again.Header().Get("Idempotent-Replayed") != "true" || again.Header().Get("Set-Cookie") != "" {
		t.Errorf("%v\n%v", first.Header(), again.Header())
	}
	if first.Header().Get("X-Request-Id") == again.Header().Get("X-Request-Id") {
		t.Error("the id of the request is the first one's")
	}
	for name, test := range map[string]struct {
		target, body string
		header       []string
		status       int
		runs         int
	}{
		"another key":      {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", "k-2"}, 201, 1},
		"another user":     {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", "k-1", "X-User", "eve"}, 201, 1},
		"no key":           {"/pay?a", `{"n":1}`, nil, 201, 1},
		"another body":     {"/pay?a", `{"n":2}`, []string{"Idempotency-Key", "k-1"}, 422, 0},
		"another path":     {"/refund?a", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, 422, 0},
		"another query":    {"/pay?b", `{"n":1}`, []string{"Idempotency-Key", "k-1"}, 422, 0},
		"another type":     {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", "k-1", "Content-Type", "text/plain"}, 422, 0},
		"an empty key":     {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", `""`}, 400, 0},
		"a key, too long":  {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", strings.Repeat("x", 256)}, 400, 0},
		"a key, very long": {"/pay?a", `{"n":1}`, []string{"Idempotency-Key", strings.Repeat("x", 255)}, 201, 1},
	} {
		before := runs
		if w := pay(app, test.target, test.body, test.header...); w.Code != test.status || runs-before != test.runs {
			t.Errorf("%s: %d, %d runs", name, w.Code, runs-before)
		}
	}
}

func TestIdempotencyIsForMethodsThatNeedIt(t *testing.T) {
	runs := 0
	app := idempotent(middleware.IdempotencyOptions{Required: true}, func(c *nextrush.Context) error { runs++; return c.NoContent() })
	for method, want := range map[string]int{"GET": 204, "PUT": 204, "POST": 400, "PATCH": 400} {
		if w := call(app, method, "/"); w.Code != want {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
	runs = 0
	call(app, "PATCH", "/", "Idempotency-Key", "x")
	call(app, "PATCH", "/", "Idempotency-Key", "x")
	call(app, "PUT", "/", "Idempotency-Key", "x")
	call(app, "PUT", "/", "Idempotency-Key", "x")
	if runs != 3 {
		t.Errorf("%d runs", runs)
	}
}

func TestIdempotencyKeepsRefusalsAndFreesTheKeyOfFailures(t *testing.T) {
	for name, test := range map[string]struct {
		first  func(c *nextrush.Context) error
		status int
		kept   bool
	}{
		"an answer":              {func(c *nextrush.Context) error { return c.NoContent() }, 204, true},
		"no answer":              {func(c *nextrush.Context) error { return nil }, 200, true},
		"a refusal":              {func(c *nextrush.Context) error { return nextrush.NewError(409, "sold out") }, 409, true},
		"a failure":              {func(c *nextrush.Context) error { return errors.New("no") }, 500, false},
		"a failure, written":     {func(c *nextrush.Context) error { return c.Status(503).Text("no") }, 503, false},
		"half an answer":         {func(c *nextrush.Context) error { c.Text("half"); return errors.New("no") }, 500, false},
		"a panic":                {func(c *nextrush.Context) error { panic("no") }, 500, false},
		"half, and then a panic": {func(c *nextrush.Context) error { c.Text("half"); panic("no") }, 500, false},
	} {
		runs := 0
		app := idempotent(middleware.IdempotencyOptions{}, func(c *nextrush.Context) error {
			if runs++; runs == 1 {
				return test.first(c)
			}
			return c.Text("second")
		})
		first, second := pay(app, "/", "", "Idempotency-Key", "k"), pay(app, "/", "", "Idempotency-Key", "k")
		if first.Code != test.status || (runs == 1) != test.kept || test.kept && (second.Code != first.Code || second.Body.String() != first.Body.String()) {
			t.Errorf("%s: %d %q, then %d %q, %d runs", name, first.Code, first.Body, second.Code, second.Body, runs)
		}
		if !test.kept && second.Body.String() != "second" {
			t.Errorf("%s: then %d %q", name, second.Code, second.Body)
		}
	}
}

func TestIdempotencyRefusesWhileTheFirstRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		app := idempotent(middleware.IdempotencyOptions{}, func(c *nextrush.Context) error {
			runs.Add(1)
			time.Sleep(time.Second)
			return c.Text("done")
		})
		var done, busy atomic.Int32
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				switch w := pay(app, "/", "x", "Idempotency-Key", "k"); {
				case w.Code == 200:
					done.Add(1)
				case w.Code == 409 && w.Header().Get("Retry-After") != "" && strings.Contains(w.Body.String(), "idempotency_running"):
					busy.Add(1)
				}
			})
		}
		wg.Wait()
		if runs.Load() != 1 || done.Load() != 1 || busy.Load() != 49 {
			t.Errorf("%d runs, %d done, %d busy", runs.Load(), done.Load(), busy.Load())
		}
		if w := pay(app, "/", "x", "Idempotency-Key", "k"); w.Body.String() != "done" {
			t.Errorf("%d %q", w.Code, w.Body)
		}
		time.Sleep(24 * time.Hour)
		if pay(app, "/", "x", "Idempotency-Key", "k"); runs.Load() != 2 {
			t.Errorf("after a day: %d runs", runs.Load())
		}
	})
}

func TestIdempotencySaysWhatItCouldNotKeep(t *testing.T) {
	for name, write := range map[string]func(c *nextrush.Context) error{
		"large":       func(c *nextrush.Context) error { return c.Text(strings.Repeat("x", 101)) },
		"a stream":    func(c *nextrush.Context) error { c.Text("x"); return http.NewResponseController(c.Writer()).Flush() },
		"no text":     func(c *nextrush.Context) error { return c.SetHeader("X-A", "\xff").Text("x") },
		"cut in half": func(c *nextrush.Context) error { c.Text(strings.Repeat("x", 101)); panic(http.ErrAbortHandler) },
	} {
		runs := 0
		app := idempotent(middleware.IdempotencyOptions{Limit: 100}, func(c *nextrush.Context) error { runs++; return write(c) })
		func() {
			defer func() { recover() }()
			if w := pay(app, "/", "", "Idempotency-Key", "k"); w.Code != 200 {
				t.Errorf("%s: %d", name, w.Code)
			}
		}()
		if w := pay(app, "/", "", "Idempotency-Key", "k"); w.Code != 409 || runs != 1 || !strings.Contains(w.Body.String(), "idempotency_lost") {
			t.Errorf("%s: then %d %q, %d runs", name, w.Code, w.Body, runs)
		}
	}
}

func TestIdempotencyDoesNothingWhileItsStoreFails(t *testing.T) {
	ran := false
	app := idempotent(middleware.IdempotencyOptions{Store: &broken{errors.New("down")}}, func(c *nextrush.Context) error { ran = true; return c.NoContent() })
	if w := pay(app, "/", "", "Idempotency-Key", "k"); w.Code != 503 || ran {
		t.Errorf("%d, ran %t", w.Code, ran)
	}
	wantPanic(t, "no user", func() { middleware.Idempotency(middleware.IdempotencyOptions{}) })
	wantPanic(t, "a negative time", func() { middleware.Idempotency(middleware.IdempotencyOptions{User: byUser, TTL: -1}) })
}

func ExampleIdempotency() {
	app := nextrush.New()
	app.Use(middleware.Idempotency(middleware.IdempotencyOptions{
		User: func(c *nextrush.Context) string { return c.IP() },
	}))
	payments := 0
	app.Post("/payments", func(c *nextrush.Context) error {
		payments++
		return c.Status(201).JSON(payments)
	})
	for range 3 { // a client that has not seen the answer
		pay(app, "/payments", `{"amount": 10}`, "Idempotency-Key", `"8e03978e"`)
	}
	fmt.Println(payments)
	// Output: 1
}

// The body that it has read is there for whoever reads it after it.
func TestIdempotencyLeavesTheBody(t *testing.T) {
	app := idempotent(middleware.IdempotencyOptions{}, func(c *nextrush.Context) error {
		var in struct {
			Name string `json:"name" form:"name"`
		}
		if err := c.Bind(&in); err != nil {
			return err
		}
		if c.Is("multipart/form-data") {
			file, err := c.FormFile("file")
			if err != nil {
				return err
			}
			in.Name += fmt.Sprint(" ", file.Size)
		}
		return c.Text(in.Name)
	})
	multi := "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nada\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nxyz\r\n--b--\r\n"
	for contentType, test := range map[string][2]string{
		"application/json":                  {`{"name":"ada"}`, "ada"},
		"application/x-www-form-urlencoded": {"name=ada", "ada"},
		"multipart/form-data; boundary=b":   {multi, "ada 3"},
	} {
		for range 2 {
			w := pay(app, "/", test[0], "Content-Type", contentType, "Idempotency-Key", contentType)
			if w.Code != 200 || w.Body.String() != test[1] {
				t.Errorf("%s: %d %q", contentType, w.Code, w.Body)
			}
		}
	}
}
