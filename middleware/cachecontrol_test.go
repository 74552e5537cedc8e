package middleware_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestCacheControlSaysWhatTheOptionsMean(t *testing.T) {
	for want, o := range map[string]middleware.CacheControlOptions{
		"no-store":                          {},
		"private, max-age=0":                {Private: true},
		"public, max-age=0, s-maxage=60":    {SharedMaxAge: time.Minute},
		"public, max-age=1":                 {MaxAge: 1999 * time.Millisecond},
		"public, max-age=3600, immutable":   {MaxAge: time.Hour, Immutable: true},
		"public, max-age=0, immutable":      {Immutable: true},
		"private, max-age=60":               {MaxAge: time.Minute, Private: true},
		"public, max-age=0, s-maxage=86400": {SharedMaxAge: 24 * time.Hour},
		"public, max-age=1, stale-while-revalidate=2, stale-if-error=3": {
			MaxAge: time.Second, StaleWhileRevalidate: 2 * time.Second, StaleIfError: 3 * time.Second},
	} {
		if got := send("GET", "/", nil, middleware.CacheControl(o)).Header().Get("Cache-Control"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCacheControlLeavesAlone(t *testing.T) {
	hour := middleware.CacheControl(middleware.CacheControlOptions{MaxAge: time.Hour})
	own := func(c *nextrush.Context) error { return c.NoCache().Next() }
	fails := func(*nextrush.Context) error { return nextrush.NewError(http.StatusTeapot) }
	for name, test := range map[string]struct {
		method   string
		handlers []nextrush.Handler
		want     string
	}{
		"HEAD, which is like GET":   {"HEAD", []nextrush.Handler{hour}, "public, max-age=3600"},
		"other methods":             {"POST", []nextrush.Handler{hour, text("done")}, ""},
		"what the handler says":     {"GET", []nextrush.Handler{hour, own}, "no-store"},
		"errors, which are no copy": {"GET", []nextrush.Handler{hour, fails}, "no-store"},
		"errors of what is secret":  {"GET", []nextrush.Handler{own, fails}, "no-store"},
	} {
		if got := send(test.method, "/", nil, test.handlers...).Header().Get("Cache-Control"); got != test.want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestCacheControlRefusesMistakesAtSetUp(t *testing.T) {
	for name, o := range map[string]middleware.CacheControlOptions{
		"private and shared": {Private: true, SharedMaxAge: time.Second},
		"negative":           {MaxAge: -1},
	} {
		wantPanic(t, name, func() { middleware.CacheControl(o) })
	}
}

func ExampleCacheControl() {
	app := nextrush.New()
	assets := app.Group("/assets", middleware.CacheControl(middleware.CacheControlOptions{
		MaxAge: 365 * 24 * time.Hour, Immutable: true,
	}))
	assets.Get("/app.3f9c.js", func(c *nextrush.Context) error { return c.Blob("text/javascript", nil) })
	fmt.Println(ask(app, "/assets/app.3f9c.js").Header().Get("Cache-Control"))
	// Output: public, max-age=31536000, immutable
}
