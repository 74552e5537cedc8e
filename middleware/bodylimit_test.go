package middleware_test

import (
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestBodyLimitCountsWhatIsRead(t *testing.T) {
	app := nextrush.New()
	app.Post("/", middleware.BodyLimit(4), func(c *nextrush.Context) error {
		b, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		return c.Blob("text/plain", b)
	})
	for name, test := range map[string]struct {
		body   string
		length int64 // as the client says; -1: it does not
		want   int
	}{
		"empty":               {"", 0, 200},
		"at the limit":        {"1234", 4, 200},
		"over, announced":     {"12345", 5, 413},
		"over, not announced": {"12345", -1, 413},
		"at, not announced":   {"1234", -1, 200},
	} {
		r := httptest.NewRequest("POST", "/", io.NopCloser(strings.NewReader(test.body)))
		r.ContentLength = test.length
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != test.want || w.Code == 200 && w.Body.String() != test.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
	wantPanic(t, "negative limit", func() { middleware.BodyLimit(-1) })
}

func ExampleBodyLimit() {
	app := nextrush.New()
	app.Post("/comments", middleware.BodyLimit(1<<10), func(c *nextrush.Context) error { return c.NoContent() })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/comments", strings.NewReader(strings.Repeat("x", 1<<10+1))))
	fmt.Println(w.Code)
	// Output: 413
}
