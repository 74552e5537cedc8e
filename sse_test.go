package nextrush

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// stream runs f as a stream in a bubble and returns what was sent.
func stream(t *testing.T, ctx context.Context, f func(*SSE) error) string {
	t.Helper()
	app := New()
	app.Get("/", func(c *Context) error { return c.SSE(f) })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil).WithContext(ctx))
	return w.Body.String()
}

func TestSSESendsHeartbeatsWhenNothingElseIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := stream(t, t.Context(), func(s *SSE) error {
			<-time.After(40 * time.Second) // two
			s.Send("a")
			<-time.After(14 * time.Second)
			s.Send("b")
			<-time.After(14 * time.Second)
			return nil
		})
		if want := ": \n\n: \n\ndata: a\n\ndata: b\n\n"; got != want {
			t.Errorf("%q, want %q", got, want)
		}
	})
}

func TestSSEOutlivesADeadlineOfTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got := stream(t, ctx, func(s *SSE) error {
			<-time.After(2 * time.Second)
			return s.Send("late")
		})
		if got != "data: late\n\n" {
			t.Errorf("%q", got)
		}
	})
}

func TestSSEEndsWhenTheClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		stream(t, ctx, func(s *SSE) error {
			<-s.Context().Done()
			if err := s.Send("x"); !errors.Is(err, context.Canceled) {
				t.Errorf("sending afterwards: %v", err)
			}
			return nil
		})
	})
}

func TestSSEOutlivesTheWriteTimeoutOfAServer(t *testing.T) {
	app := New()
	passed := make(chan struct{})
	app.Get("/", func(c *Context) error {
		return c.SSE(func(s *SSE) error {
			s.Send("a")
			<-passed
			return s.Send("b")
		})
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const timeout = time.Second
	server := &http.Server{Handler: app, WriteTimeout: timeout}
	go server.Serve(l)
	defer server.Close()
	res, err := http.Get("http://" + l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	time.AfterFunc(2*timeout, func() { close(passed) })
	if b, err := io.ReadAll(res.Body); err != nil || !strings.HasSuffix(string(b), "data: b\n\n") {
		t.Errorf("%q, %v", b, err)
	}
}

// hiding is a writer as many tutorials make them, without Flush and Unwrap.
type hiding struct{ http.ResponseWriter }

func hide(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(hiding{w}, r) })
}

// claiming has a Flush that does nothing, around what has none.
type claiming struct{ hiding }

func (claiming) FlushError() error             { return http.ErrNotSupported }
func (w claiming) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestSSEWithoutFlushFailsBeforeItBegins(t *testing.T) {
	for name, set := range map[string]func(*App) http.Handler{
		"around the App": func(app *App) http.Handler { return hide(app) },
		"Pre":            func(app *App) http.Handler { app.Pre(hide); return app },
		"WrapMiddleware": func(app *App) http.Handler { app.Use(WrapMiddleware(hide)); return app },
		"SetWriter": func(app *App) http.Handler {
			app.Use(func(c *Context) error {
				defer c.SetWriter(c.Writer())
				c.SetWriter(hiding{c.Writer()})
				return c.Next()
			})
			return app
		},
		"behind one that claims": func(app *App) http.Handler {
			app.Use(func(c *Context) error {
				defer c.SetWriter(c.Writer())
				c.SetWriter(claiming{hiding{c.Writer()}})
				return c.Next()
			})
			return hide(app)
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
			h := set(app)
			app.Get("/", func(c *Context) error {
				return c.SSE(func(*SSE) error { t.Error("it ran"); return nil })
			})
			w := do(t, h, "GET", "/", "")
			if w.Code != 500 || !strings.Contains(log.String(), "Flush") || !strings.Contains(log.String(), "nextrush.hiding") {
				t.Errorf("%d %s, logged %s", w.Code, w.Body, &log)
			}
		})
	}
}

func TestFlushTellsWhenItCannot(t *testing.T) {
	app := New()
	var err error
	app.Get("/", func(c *Context) error {
		err = http.NewResponseController(c.Writer()).Flush()
		if c.StatusCode() != 0 {
			t.Error("nothing was written")
		}
		return nil
	})
	do(t, hide(app), "GET", "/", "")
	if !errors.Is(err, http.ErrNotSupported) {
		t.Errorf("error %v", err)
	}
}
