package middleware_test

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// A route whose handlers hang starts no more of them, other routes do, and it does again
// when they have ended.
func TestAbandonedHandlersAreBounded(t *testing.T) {
	for max, want := range map[int]int{0: 100, 3: 3} {
		synctest.Test(t, func(t *testing.T) {
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
			app.Use(middleware.Timeout(time.Second, middleware.TimeoutOptions{Abandon: true, MaxAbandoned: max}))
			var started atomic.Int32
			hang := make(chan struct{})
			app.Get("/hang/:id", func(c *nextrush.Context) error { started.Add(1); <-hang; return nil })
			app.Get("/quick", text("ok"))
			for range want {
				if w := call(app, "GET", "/hang/1"); w.Code != 503 {
					t.Errorf("max %d: %d", max, w.Code)
				}
			}
			for range 5 {
				began := time.Now()
				if w := call(app, "GET", "/hang/2"); w.Code != 503 || time.Since(began) > 0 {
					t.Errorf("max %d: one too many is %d after %v", max, w.Code, time.Since(began))
				}
			}
			if n := int(started.Load()); n != want {
				t.Errorf("max %d: %d handlers", max, n)
			}
			if w := call(app, "GET", "/quick"); w.Code != 200 {
				t.Errorf("max %d: another route is %d", max, w.Code)
			}
			close(hang)
			synctest.Wait()
			if w := call(app, "GET", "/hang/3"); w.Code != 200 {
				t.Errorf("max %d: afterwards %d", max, w.Code)
			}
		})
	}
	wantPanic(t, "a negative bound", func() {
		middleware.Timeout(1, middleware.TimeoutOptions{Abandon: true, MaxAbandoned: -1})
	})
	wantPanic(t, "a bound of nothing", func() { middleware.Timeout(1, middleware.TimeoutOptions{MaxAbandoned: 1}) })
}

func TestShutdownNamesAbandonedHandlers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &lines{}
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
		app.Use(abandoning(time.Second))
		hang := make(chan struct{})
		app.Get("/a/:id", func(c *nextrush.Context) error { <-hang; return nil })
		app.Get("/b", func(c *nextrush.Context) error { <-hang; return nil })
		app.Get("/over", func(c *nextrush.Context) error { time.Sleep(2 * time.Second); return nil })
		var wg sync.WaitGroup
		for _, path := range []string{"/a/1", "/b", "/a/2", "/over"} {
			wg.Go(func() { call(app, "GET", path) })
		}
		wg.Wait()
		time.Sleep(time.Hour)
		if err := app.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if log.count("2 of /a/:id, 1 of /b") != 1 || log.count("of /over") > 0 {
			t.Error(log.text.String())
		}
		close(hang)
	})
}
