package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// Middleware of net/http answers errors itself, behind what holds back answers.
func TestErrorsBehindMiddlewareOfNetHTTPAreAnswered(t *testing.T) {
	wrapped := nextrush.WrapMiddleware(func(next http.Handler) http.Handler { return next })
	for name, holds := range map[string]nextrush.Handler{
		"Compress": middleware.Compress(), "ETag": middleware.ETag(),
		"both": middleware.Chain(middleware.Compress(), middleware.ETag()),
	} {
		for _, status := range []int{http.StatusOK, http.StatusConflict} {
			app := nextrush.New(nextrush.Options{ErrorHandler: func(c *nextrush.Context, err error) {
				c.Status(status).Text("answer: " + err.Error())
			}})
			app.Use(holds, wrapped)
			app.Get("/", func(c *nextrush.Context) error {
				io.WriteString(c.Writer(), "part of ")
				return nextrush.NewError(http.StatusConflict, "taken")
			})
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			if got := w.Body.String(); w.Code != status || !strings.HasPrefix(got, "answer: ") || !strings.Contains(got, "taken") {
				t.Errorf("%s: %d %q, want %d", name, w.Code, got, status)
			}
		}
	}
}

// What is held back is an answer to the handlers behind, and none to those before.
func TestWrittenTellsOfTheWriterThatTheHandlerHas(t *testing.T) {
	for name, holds := range map[string]nextrush.Handler{
		"Compress": middleware.Compress(), "ETag": middleware.ETag(),
		"both": middleware.Chain(middleware.Compress(), middleware.ETag()),
	} {
		app := nextrush.New()
		app.Use(func(c *nextrush.Context) error {
			err := c.Next()
			if c.Path() == "/conflict" && (c.StatusCode() != 0 || c.BytesWritten() != 0) {
				t.Errorf("%s: before: status %d, size %d", name, c.StatusCode(), c.BytesWritten())
			}
			return err
		}, holds)
		app.Get("/", nextrush.Handle(func(c *nextrush.Context, _ struct{}) (string, error) {
			c.Status(202).Text("my own")
			if c.StatusCode() != 202 || c.BytesWritten() != 6 {
				t.Errorf("%s: behind: status %d, size %d", name, c.StatusCode(), c.BytesWritten())
			}
			return "and another", nil
		}))
		app.Get("/conflict", func(c *nextrush.Context) error {
			c.Text("part of ")
			return nextrush.NewError(http.StatusConflict)
		})
		for path, want := range map[string]string{"/": "202 my own", "/conflict": "409 {"} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			if got := fmt.Sprint(w.Code, " ", w.Body); !strings.HasPrefix(got, want) || strings.Contains(got, "another") {
				t.Errorf("%s: %s: %s, want %s", name, path, got, want)
			}
		}
	}
}

// able is a writer that counts what reaches it by the ways that save copies.
type able struct {
	*httptest.ResponseRecorder
	strings, readers int
}

func (w *able) WriteString(s string) (int, error) {
	w.strings++
	return w.ResponseRecorder.WriteString(s)
}

func (w *able) ReadFrom(src io.Reader) (int64, error) {
	w.readers++
	return io.Copy(w.ResponseRecorder, src)
}

func TestWhatIsNotHeldBackIsNotCopied(t *testing.T) {
	body := strings.Repeat("x", 2<<20)
	for name, holds := range map[string]nextrush.Handler{
		"Compress": middleware.Compress(), "ETag": middleware.ETag(), "both": middleware.Chain(middleware.Compress(), middleware.ETag()),
	} {
		app := nextrush.New()
		app.Use(holds)
		app.Get("/string", func(c *nextrush.Context) error { return c.Type("video/mp4").Text(body) })
		app.Get("/reader", func(c *nextrush.Context) error {
			c.Type("video/mp4").SetHeader("Content-Length", strconv.Itoa(len(body)))
			_, err := io.Copy(c.Writer(), struct{ io.Reader }{strings.NewReader(body)})
			return err
		})
		for path, want := range map[string][2]int{"/string": {1, 0}, "/reader": {0, 1}} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			w := &able{ResponseRecorder: httptest.NewRecorder()}
			app.ServeHTTP(w, r)
			if got := [2]int{w.strings, w.readers}; got != want || w.Body.Len() != len(body) {
				t.Errorf("%s %s: %d bytes, calls %v, want %v", name, path, w.Body.Len(), got, want)
			}
		}
	}
}

func TestALongStringIsCompressedWithoutACopyOfAll(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.Compress())
	body := strings.Repeat("x", 16<<20)
	app.Get("/", func(c *nextrush.Context) error { return c.Text(body) })
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	app.ServeHTTP(httptest.NewRecorder(), r)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(len(body))/2 {
		t.Errorf("%d bytes allocated for %d", n, len(body))
	}
}
