package middleware_test

import (
	"io"
	"net/http"
	"net/http/httptest"
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
