package nextrush

import (
	"bytes"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// do sends a request to h and returns the recorded response.
func do(t testing.TB, h http.Handler, method, target, body string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	var r *http.Request
	if body == "" {
		r = httptest.NewRequest(method, target, nil)
	} else {
		r = httptest.NewRequest(method, target, strings.NewReader(body))
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func text(s string) Handler { return func(c *Context) error { return c.Text(s) } }

// mark is middleware that leaves a trace in the response's header.
func mark(s string) Handler {
	return func(c *Context) error {
		c.Append("X-Trace", s)
		return c.Next()
	}
}

func TestMiddlewareRunsFromTheAppToTheRoute(t *testing.T) {
	app := New()
	app.Use(mark("app"))
	api := app.Group("/api", mark("group"))
	api.Get("/x", mark("route"), text("x"))
	api.Use(mark("late"))
	w := do(t, app, "GET", "/api/x", "")
	if got := strings.Join(w.Header()["X-Trace"], " "); got != "app group late route" || w.Body.String() != "x" {
		t.Fatalf("trace %q, body %q", got, w.Body)
	}
}

func TestGlobalMiddlewareRunsWithoutARoute(t *testing.T) {
	app := New()
	app.Get("/x", text("x"))
	app.Post("/dir/", text("dir"))
	app.Use(mark("app"))
	for _, tt := range []struct {
		name, method, path string
		status             int
		header, value      string
	}{
		{"not found", "GET", "/none", 404, "", ""},
		{"method not allowed", "POST", "/x", 405, "Allow", "GET, HEAD, OPTIONS"},
		{"automatic OPTIONS", "OPTIONS", "/x", 204, "Allow", "GET, HEAD, OPTIONS"},
		{"OPTIONS for the whole app", "OPTIONS", "*", 204, "Allow", "GET, HEAD, OPTIONS, POST"},
		{"redirect", "POST", "/dir?q=1", 308, "Location", "/dir/?q=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := do(t, app, tt.method, tt.path, "")
			if w.Code != tt.status || w.Header().Get("X-Trace") != "app" {
				t.Errorf("status %d, trace %q", w.Code, w.Header().Get("X-Trace"))
			}
			if got := w.Header().Get(tt.header); tt.header != "" && got != tt.value {
				t.Errorf("%s: %q, want %q", tt.header, got, tt.value)
			}
		})
	}
}

func TestMiddlewareSeesTheErrorOfWhatFollows(t *testing.T) {
	app := New()
	var seen error
	app.Use(func(c *Context) error {
		seen = c.Next()
		return seen
	})
	want := errors.New("boom")
	app.Get("/", func(*Context) error { return want })
	w := do(t, app, "GET", "/", "")
	if seen != want || w.Code != 500 || strings.Contains(w.Body.String(), "boom") {
		t.Fatalf("saw %v; answered %d %s", seen, w.Code, w.Body)
	}
}

func TestAPanicIsAnAnswerOf500(t *testing.T) {
	app := New()
	app.Get("/", func(*Context) error { panic("oh") })
	if w := do(t, app, "GET", "/", ""); w.Code != 500 {
		t.Fatalf("status %d", w.Code)
	}
}

func TestErrAbortHandlerPasses(t *testing.T) {
	app := New()
	app.Get("/", func(*Context) error { panic(http.ErrAbortHandler) })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Fatalf("recovered %v", v)
		}
	}()
	do(t, app, "GET", "/", "")
	t.Fatal("no panic")
}

func TestAbortInsteadOfHalfAnAnswer(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error {
		io.WriteString(c.Writer(), "half")
		return errors.New("boom")
	})
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Fatalf("recovered %v", v)
		}
	}()
	do(t, app, "GET", "/", "")
	t.Fatal("no panic")
}

func TestARequestIsOneAllocationOfOurs(t *testing.T) {
	app := New()
	app.Get("/", func(*Context) error { return nil })
	app.Get("/json", func(c *Context) error { return c.JSON([]int(nil)) })
	for _, path := range []string{"/", "/json"} {
		r := httptest.NewRequest("GET", path, nil)
		w := discard{make(http.Header)}
		least := math.Inf(1)
		for range 100 { // the race detector has pools forget what they hold, at random
			least = min(least, testing.AllocsPerRun(1, func() { app.ServeHTTP(w, r) }))
		}
		if least > 1 {
			t.Errorf("%s: %v allocations", path, least)
		}
	}
}

// logBuffer is a log that the app still writes to while a test reads it.
type logBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
