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

func TestBodyLimitRaisesTheLimitOfTheApp(t *testing.T) {
	app := nextrush.New(nextrush.Options{BodyLimit: 4})
	read := func(c *nextrush.Context) error {
		b, err := c.Body()
		if err != nil {
			return err
		}
		return c.Blob("text/plain", b)
	}
	stream := func(c *nextrush.Context) error {
		_, err := io.Copy(c.Writer(), c.Request().Body)
		return err
	}
	app.Post("/small", read)
	app.Post("/large", middleware.BodyLimit(8), read)
	app.Post("/stream", middleware.BodyLimit(8), stream)
	app.Post("/last", middleware.BodyLimit(8), middleware.BodyLimit(6), read)
	for _, tt := range []struct {
		path, body string
		want       int
	}{
		{"/small", "12345", 413}, {"/large", "12345678", 200}, {"/large", "123456789", 413},
		{"/stream", "12345678", 200}, {"/last", "123456", 200}, {"/last", "1234567", 413},
	} {
		for _, length := range []int64{int64(len(tt.body)), -1} {
			r := httptest.NewRequest("POST", tt.path, io.NopCloser(strings.NewReader(tt.body)))
			r.ContentLength = length
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s, %d bytes, announced %d: %d, want %d", tt.path, len(tt.body), length, w.Code, tt.want)
			}
		}
	}
}

func ExampleBodyLimit() {
	app := nextrush.New()
	app.Post("/comments", middleware.BodyLimit(1<<10), func(c *nextrush.Context) error { return c.NoContent() })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/comments", strings.NewReader(strings.Repeat("x", 1<<10+1))))
	fmt.Println(w.Code)
	// Output: 413
}
