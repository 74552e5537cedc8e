package nextrush

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// asking is a parameter whose text asks the app.
type asking struct{ app *App }

func (a asking) String() string {
	path, _ := a.app.URL("other")
	return path + a.app.Routes()[0].Name
}

func TestAParameterOfURLMayAskTheApp(t *testing.T) {
	app := New()
	app.Get("/other", text("")).Named("other")
	app.Get("/u/:id", text("")).Named("user")
	path := make(chan string, 1)
	go func() {
		to, _ := app.URL("user", asking{app})
		path <- to
	}()
	select {
	case to := <-path:
		if to != "/u/%2Fotherother" {
			t.Error(to)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("URL waits for itself")
	}
}

// falling is a writer that panics once it is told to.
type falling struct {
	http.ResponseWriter
	now bool
}

func (w *falling) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *falling) Write(b []byte) (int, error) {
	if w.now {
		panic("no more")
	}
	w.now = len(b) > 0
	return w.ResponseWriter.Write(b)
}

// A heartbeat is written in a goroutine of its own, where nothing else would recover.
func TestAWriterThatPanicsInAHeartbeatEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Get("/", func(c *Context) error {
			c.SetWriter(&falling{ResponseWriter: c.Writer()})
			return c.SSE(func(s *SSE) error {
				s.Send("hello")
				<-s.Context().Done()
				return nil
			})
		})
		defer func() {
			if v := recover(); v != http.ErrAbortHandler {
				t.Errorf("panic %v", v)
			}
			if text := log.String(); !strings.Contains(text, "no more") || !strings.Contains(text, "falling") {
				t.Errorf("log %q", text)
			}
		}()
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	})
}

func TestASecondShutdownWaitsNoLongerThanItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := New(Options{Logger: slog.New(slog.DiscardHandler)})
		var second error
		app.OnShutdown(func(context.Context) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			second = app.Shutdown(ctx)
			return nil
		})
		if err := app.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if !errors.Is(second, context.DeadlineExceeded) {
			t.Errorf("the second: %v", second)
		}
		if err := app.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
}

func TestAHookThatStartsItsAppIsToldSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := New(Options{Logger: slog.New(slog.DiscardHandler)})
		var inner error
		app.OnStart(func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			inner = app.Start(ctx)
			return nil
		})
		if err := app.Start(context.Background()); err != nil {
			t.Error(err)
		}
		if !errors.Is(inner, context.DeadlineExceeded) {
			t.Errorf("the inner one: %v", inner)
		}
	})
}
