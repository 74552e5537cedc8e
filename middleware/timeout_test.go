package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func TestTimeoutAnswersForHandlersThatGiveUp(t *testing.T) {
	wait := func(c *nextrush.Context) error { <-c.Context().Done(); return c.Context().Err() }
	for name, test := range map[string]struct {
		handler nextrush.Handler
		want    int
	}{
		"in time":              {text("ok"), 200},
		"gives up":             {wait, 503},
		"gives up, wrapped":    {func(c *nextrush.Context) error { return fmt.Errorf("query: %w", wait(c)) }, 503},
		"answers late":         {func(c *nextrush.Context) error { wait(c); return c.Text("late") }, 200},
		"a deadline before":    {func(c *nextrush.Context) error { return context.DeadlineExceeded }, 500},
		"another error, late":  {func(c *nextrush.Context) error { wait(c); return errors.New("no") }, 500},
		"its own answer, late": {func(c *nextrush.Context) error { wait(c); return nextrush.NewError(404) }, 404},
	} {
		synctest.Test(t, func(t *testing.T) {
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
			app.Get("/", middleware.Timeout(time.Second), test.handler)
			if w := ask(app, "/"); w.Code != test.want {
				t.Errorf("%s: %d", name, w.Code)
			}
		})
	}
	wantPanic(t, "no duration", func() { middleware.Timeout(0) })
}

func TestTimeoutHoldsForWhoeverAsksForAnUpgrade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
		app.Get("/", middleware.Timeout(time.Second), func(c *nextrush.Context) error {
			select {
			case <-c.Context().Done():
				return c.Context().Err()
			case <-time.After(time.Hour):
				return c.Text("late")
			}
		})
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Connection", "Upgrade")
		r.Header.Set("Upgrade", "websocket")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 503 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestTimeoutLeavesTheContextOfThoseBefore(t *testing.T) {
	app := nextrush.New()
	app.Use(func(c *nextrush.Context) error {
		if err := c.Next(); err != nil {
			return err
		}
		return c.Context().Err()
	}, middleware.Timeout(time.Hour))
	app.Get("/", func(c *nextrush.Context) error { return nil })
	if w := ask(app, "/"); w.Code != 200 {
		t.Errorf("status %d", w.Code)
	}
}

func TestTimeoutLeavesSockets(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(middleware.Timeout(time.Nanosecond))
	app.WS("/", func(s *websocket.Socket, c *nextrush.Context) error {
		if err := c.Context().Err(); err != nil {
			return err
		}
		return s.Send("open")
	})
	nextrushtest.New(t, app).Dial("/").Expect("open")
}

func ExampleTimeout() {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Timeout(time.Millisecond))
	app.Get("/", func(c *nextrush.Context) error {
		<-c.Context().Done() // a query that takes the context gives up likewise
		return c.Context().Err()
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code)
	// Output: 503
}
