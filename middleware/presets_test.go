package middleware_test

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestPresetsGuardEveryAnswer(t *testing.T) {
	for name, test := range map[string]struct {
		preset  []nextrush.Handler
		headers []string
	}{
		"development": {middleware.Development(), []string{"X-Request-Id"}},
		"production":  {middleware.Production(), []string{"X-Request-Id", "X-Content-Type-Options", "Content-Security-Policy", "RateLimit-Remaining"}},
	} {
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
		app.Use(test.preset)
		app.Get("/", text("ok"))
		app.Get("/panic", func(*nextrush.Context) error { panic("no") })
		for target, status := range map[string]int{"/": 200, "/panic": 500, "/nowhere": 404} {
			w := ask(app, target)
			if w.Code != status {
				t.Errorf("%s: %s: %d", name, target, w.Code)
			}
			for _, h := range test.headers {
				if w.Header().Get(h) == "" {
					t.Errorf("%s: %s is without %s", name, target, h)
				}
			}
		}
	}
}

func TestProductionLimitsClients(t *testing.T) {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Production())
	app.Get("/", text("ok"))
	for range 200 {
		if ask(app, "/").Code == 429 {
			return
		}
	}
	t.Error("200 requests at once were let in")
}

func ExampleProduction() {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Production())
	app.Get("/", func(c *nextrush.Context) error { return c.Text("ok") })
	fmt.Println(ask(app, "/").Header().Get("X-Content-Type-Options"))
	// Output: nosniff
}
