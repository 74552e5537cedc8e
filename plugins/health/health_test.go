package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/health"
)

var errDown = errors.New("dial tcp 10.0.0.7: refused")

func pass(context.Context) error { return nil }
func fail(context.Context) error { return errDown }

func appWith(t *testing.T, p *health.Plugin) *nextrush.App {
	t.Helper()
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	return app
}

func TestReadinessIsThatOfAllChecks(t *testing.T) {
	for _, tt := range []struct {
		name   string
		plugin *health.Plugin
		status int
		want   health.Status
	}{
		{"no checks", health.New(), 200, health.OK},
		{"all pass", health.New().Check("a", pass).Check("b", pass), 200, health.OK},
		{"one fails", health.New().Check("a", pass).Check("b", fail), 503, health.Failed},
		{"one panics", health.New().Check("a", pass).Check("b", func(context.Context) error { panic("oops") }), 503, health.Failed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := nextrushtest.New(t, appWith(t, tt.plugin))
			var answer health.Report
			response := c.Get("/readyz").WantStatus(tt.status)
			response.JSON(&answer)
			report := tt.plugin.Report()
			if answer.Status != tt.want || report.Status != tt.want {
				t.Errorf("answer %q, report %q", answer.Status, report.Status)
			}
			if tt.want == health.Failed && (report.Checks["a"].Status != health.OK || report.Checks["b"].Status != health.Failed) {
				t.Errorf("checks %v", report.Checks)
			}
			if cache := response.Header.Get("Cache-Control"); cache != "no-store" {
				t.Errorf("Cache-Control %q", cache)
			}
			c.Get("/livez").WantStatus(200)
		})
	}
}

func TestStrangersLearnOnlyWhetherTheAppIsReady(t *testing.T) {
	through := []nextrush.Handler{func(c *nextrush.Context) error { return c.Next() }}
	for name, tt := range map[string]struct {
		o     health.Options
		shows bool
	}{
		"anybody may ask": {health.Options{}, false},
		"a guard":         {health.Options{Guard: through}, true},
		"details":         {health.Options{Details: true}, true},
		"errors":          {health.Options{ShowErrors: true}, true},
	} {
		for status, check := range map[int]func(context.Context) error{200: pass, 503: fail} {
			p := health.New(tt.o).Check("billing-db", check)
			body := nextrushtest.New(t, appWith(t, p)).Get("/readyz").WantStatus(status).Text()
			if strings.Contains(body, "billing-db") != tt.shows || strings.Contains(body, "durationMs") != tt.shows {
				t.Errorf("%s: %d %s", name, status, body)
			}
			if r := p.Report(); r.Checks["billing-db"].Status == "" {
				t.Errorf("%s: the program's own report is %+v", name, r)
			}
		}
	}
}

func TestErrorsAreShownOnlyWhenAskedFor(t *testing.T) {
	for _, show := range []bool{false, true} {
		c := nextrushtest.New(t, appWith(t, health.New(health.Options{ShowErrors: show}).Check("db", fail)))
		if body := c.Get("/readyz").Text(); strings.Contains(body, "10.0.0.7") != show {
			t.Errorf("ShowErrors %v: %s", show, body)
		}
	}
}

func TestAChangeOfACheckIsLoggedOnce(t *testing.T) {
	var log bytes.Buffer
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	result := errDown
	p := health.New(health.Options{CacheFor: -1}).Check("db", func(context.Context) error { return result })
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	p.Report()
	p.Report()
	result = nil
	p.Report()
	p.Report()
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "10.0.0.7") || !strings.Contains(got, "passes again") {
		t.Errorf("log:\n%s", got)
	}
}

func TestChecksRunAtTheSameTimeAndTheirResultIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		slow := func(context.Context) error {
			runs.Add(1)
			time.Sleep(time.Second)
			return nil
		}
		p := health.New(health.Options{CacheFor: 5 * time.Second}).Check("a", slow).Check("b", slow)
		c := nextrushtest.New(t, appWith(t, p))
		begin := time.Now()
		c.Get("/readyz").WantStatus(200)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("took %v", took)
		}
		c.Get("/readyz").WantStatus(200)
		if n := runs.Load(); n != 2 {
			t.Errorf("%d runs, want 2: the second probe is answered from memory", n)
		}
		time.Sleep(5 * time.Second)
		c.Get("/readyz").WantStatus(200)
		if n := runs.Load(); n != 4 {
			t.Errorf("%d runs, want 4", n)
		}
	})
}

func TestACheckThatIgnoresItsContextFailsInTimeAndRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		release := make(chan struct{})
		p := health.New(health.Options{CacheFor: -1, ShowErrors: true}).Check("stuck", func(context.Context) error {
			runs.Add(1)
			<-release
			return nil
		})
		c := nextrushtest.New(t, appWith(t, p))
		begin := time.Now()
		c.Get("/readyz").WantStatus(503)
		if took := time.Since(begin); took != 2*time.Second {
			t.Errorf("took %v, want 2s", took)
		}
		if body := c.Get("/readyz").WantStatus(503).Text(); !strings.Contains(body, "has not ended") || runs.Load() != 1 {
			t.Errorf("%d runs, answer %s", runs.Load(), body)
		}
		close(release)
		synctest.Wait()
		c.Get("/readyz").WantStatus(200)
	})
}

func TestACheckThatEndsItsGoroutineFailsAndRunsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		leave := true
		p := health.New(health.Options{CacheFor: -1, ShowErrors: true}).Check("a", func(context.Context) error {
			if leave {
				runtime.Goexit()
			}
			return nil
		})
		c := nextrushtest.New(t, appWith(t, p))
		begin := time.Now()
		if body := c.Get("/readyz").WantStatus(503).Text(); !strings.Contains(body, "Goexit") || time.Since(begin) > 0 {
			t.Errorf("after %v %s", time.Since(begin), body)
		}
		leave = false
		c.Get("/readyz").WantStatus(200)
	})
}

func TestReadinessIsFalseWhileTheAppStillServes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := appWith(t, health.New(health.Options{DrainDelay: 5 * time.Second}).Check("a", pass))
		c := nextrushtest.New(t, app)
		c.Get("/readyz").WantStatus(200)
		begin := time.Now()
		ended := make(chan time.Duration)
		go func() {
			app.Shutdown(t.Context())
			ended <- time.Since(begin)
		}()
		synctest.Wait()
		if body := c.Get("/readyz").WantStatus(503).Text(); !strings.Contains(body, `"draining"`) {
			t.Errorf("answer %s", body)
		}
		if !c.Get("/livez").WantStatus(200).Close || !c.Get("/nowhere").WantStatus(404).Close {
			t.Error("the client may keep its connection to an App that leaves")
		}
		if took := <-ended; took < 5*time.Second || took > 6*time.Second {
			t.Errorf("shutdown took %v", took)
		}
	})
}

func TestTheDrainDelayEndsWithTheTimeForShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := appWith(t, health.New(health.Options{DrainDelay: time.Hour}))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begin := time.Now()
		app.Shutdown(ctx)
		if took := time.Since(begin); took != time.Second {
			t.Errorf("shutdown took %v", took)
		}
	})
}

func TestStopWaitsForChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		p := health.New(health.Options{Timeout: time.Minute}).Check("slow", func(ctx context.Context) error {
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		})
		appWith(t, p)
		go p.Report()
		synctest.Wait()
		if err := p.Stop(t.Context()); err != nil || !ended {
			t.Errorf("error %v, ended %v", err, ended)
		}
		if r := p.Report(); r.Status != health.Draining {
			t.Errorf("afterwards %v", r)
		}
	})
}

func TestGuardAndPathsAreThoseOfTheOptions(t *testing.T) {
	closed := func(*nextrush.Context) error { return nextrush.NewError(http.StatusForbidden) }
	c := nextrushtest.New(t, appWith(t, health.New(health.Options{
		LivePath: "/up", ReadyPath: "/go", Guard: []nextrush.Handler{closed},
	})))
	c.Get("/up").WantStatus(403)
	c.Get("/go").WantStatus(403)
	c.Get("/livez").WantStatus(404)
}

func TestMistakesPanicAndNameTheCheck(t *testing.T) {
	for name, mistake := range map[string]func(){
		"nil":   func() { health.New().Check("db", nil) },
		"twice": func() { health.New().Check("db", pass).Check("db", pass) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, "db") || !strings.Contains(text, name) {
					t.Errorf("panic %q", text)
				}
			}()
			mistake()
		})
	}
}

func Example() {
	app := nextrush.New()
	app.Register(health.New().Check("database", func(ctx context.Context) error {
		return nil // db.PingContext(ctx)
	}))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/livez", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"status":"ok"}
}
