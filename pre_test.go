package nextrush_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
)

// under makes a middleware that puts a prefix before all paths.
func under(prefix string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.Path = prefix + r.URL.Path
			next.ServeHTTP(w, r)
		})
	}
}

func TestPreRunsBeforeTheRouteIsLookedForInTheOrderGiven(t *testing.T) {
	app := nextrush.New()
	app.Pre(under("/b"))
	app.Pre(under("/a"))
	app.Get("/a/b/:name", func(c *nextrush.Context) error { return c.Text(c.Route() + " " + c.Param("name")) })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/x", nil))
	if w.Body.String() != "/a/b/:name x" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPreOfAMountedAppDoesNotRun(t *testing.T) {
	inner, app := nextrush.New(), nextrush.New()
	inner.Pre(under("/inner"))
	inner.Get("/x", func(c *nextrush.Context) error { return c.Text("x") })
	app.Mount("/in", inner)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/in/x", nil))
	if w.Body.String() != "x" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestPreRefusesNil(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	nextrush.New().Pre(nil)
}

func ExampleApp_Pre() {
	app := nextrush.New()
	app.Pre(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.URL.Path = strings.ToLower(r.URL.Path)
			next.ServeHTTP(w, r)
		})
	})
	app.Get("/about", func(c *nextrush.Context) error { return c.Text("about us") })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/About", nil))
	fmt.Println(w.Body)
	// Output: about us
}
