package middleware_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// Whoever changes something sees the change, and so does everybody else.
func TestAChangeReachesAllVariants(t *testing.T) {
	for name, header := range map[string][]string{
		"by anybody":          nil,
		"with Authorization":  {"Authorization", "Bearer x"},
		"with Upgrade":        {"Upgrade", "h2c"},
		"of another language": {"Accept-Language", "fr"},
		"without a condition": {"If-Match", "*"},
	} {
		version := 1
		app := nextrush.New()
		app.Use(middleware.Cache())
		app.Get("/", func(c *nextrush.Context) error {
			return c.CacheFor(time.Hour).Vary("Accept-Language").Text(fmt.Sprint(c.Header("Accept-Language"), version))
		})
		app.Put("/", func(c *nextrush.Context) error { version++; return c.NoContent() })
		for range 3 {
			for range 2 { // the variants come back one after the other
				for _, language := range []string{"de", "en"} {
					if got := call(app, "GET", "/", "Accept-Language", language).Body.String(); got != fmt.Sprint(language, version) {
						t.Errorf("%s: %q of version %d", name, got, version)
					}
				}
			}
			if w := call(app, "PUT", "/", header...); w.Code != 204 {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
	}
}
