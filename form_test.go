package nextrush_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestAFormOfTooManyPairsIsTooLarge(t *testing.T) {
	form := strings.Repeat("a=b&", 10_000)
	app := nextrush.New()
	app.Post("/bind", nextrush.Handle(func(c *nextrush.Context, in struct {
		A string `form:"a"`
	}) (struct{}, error) {
		return struct{}{}, nil
	}))
	app.Post("/csrf", middleware.CSRF(middleware.CSRFOptions{Secret: make([]byte, 32)}), func(c *nextrush.Context) error { return c.NoContent() })
	for _, path := range []string{"/bind", "/csrf"} {
		r := httptest.NewRequest("POST", path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 413 || !strings.Contains(w.Body.String(), "10000") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
