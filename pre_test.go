package nextrush_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
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

// A client that gets nothing at all sends the request again (RFC 9112 §9.3.1).
func TestPreWithMiddlewareThatHoldsBackAnswersAnErrorOnce(t *testing.T) {
	for name, hold := range map[string]func(http.Handler) http.Handler{
		"all": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "late") },
		"Flush": func(h http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.ServeHTTP(struct{ http.ResponseWriter }{w}, r) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			var runs, logged atomic.Int64
			app := nextrush.New(nextrush.Options{Logger: slog.New(counting{&logged})})
			app.Pre(hold)
			app.Get("/ok", func(c *nextrush.Context) error { return c.Text("ok") })
			app.Get("/fails", func(c *nextrush.Context) error {
				runs.Add(1)
				io.WriteString(c.Writer(), "partial")
				return errors.New("boom")
			})
			server := apptest.Serve(app)
			defer server.Close()
			get := func(path string) (status int, body string, err error) {
				r, err := server.Client().Get(server.URL + path)
				if err != nil {
					return 0, "", err
				}
				defer r.Body.Close()
				b, err := io.ReadAll(r.Body)
				return r.StatusCode, string(b), err
			}
			get("/ok") // so that there is a connection which may have been closed meanwhile
			status, body, err := get("/fails")
			whole := status == 500 && err == nil && !strings.Contains(body, "partial")
			cut := status == 200 && body == "partial" && err == io.ErrUnexpectedEOF
			if !whole && name == "all" || !cut && name == "Flush" {
				t.Errorf("%d %q %v", status, body, err)
			}
			if runs.Load() != 1 || logged.Load() != 1 {
				t.Errorf("the handler ran %d times, and %d errors were logged", runs.Load(), logged.Load())
			}
		})
	}
}

// counting counts errors.
type counting struct{ n *atomic.Int64 }

func (h counting) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (h counting) Handle(context.Context, slog.Record) error    { h.n.Add(1); return nil }
func (h counting) WithAttrs([]slog.Attr) slog.Handler           { return h }
func (h counting) WithGroup(string) slog.Handler                { return h }
