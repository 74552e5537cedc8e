package nextrush

import (
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
)

// The event loop makes the header of a request when it is asked for: whoever looks at it
// first, and however, finds all of it.
func TestTheHeaderIsThereHoweverItIsAskedFor(t *testing.T) {
	seen := func(r *http.Request) string { return r.Header.Get("X-A") }
	ways := map[string]Handler{
		"Header":     func(c *Context) error { return c.Text(c.Header("x-a")) },
		"Request":    func(c *Context) error { return c.Text(seen(c.Request())) },
		"SetContext": func(c *Context) error { c.SetContext(context.Background()); return c.Text(seen(c.Request())) },
		"SetRequest": func(c *Context) error { c.SetRequest(c.Request().Clone(c.Context())); return c.Text(c.Header("X-A")) },
		"both":       func(c *Context) error { _ = c.Header("X-A"); return c.Text(seen(c.Request())) },
		"handler":    WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, seen(r)) })),
		"wrapped": func(c *Context) error {
			inner := WrapMiddleware(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, seen(r)) })
			})
			return inner(c)
		},
		"cookie":    func(c *Context) error { return c.Text(c.Cookie("a")) },
		"userAgent": func(c *Context) error { return c.Text(c.UserAgent()) },
		"accepts":   func(c *Context) error { return c.Text(c.Accepts("a/b", "a/it")[2:]) },
		"bind": func(c *Context) error {
			var in struct {
				A string `header:"X-A"`
			}
			if err := c.Bind(&in); err != nil {
				return err
			}
			return c.Text(in.A)
		},
		"late": func(c *Context) error {
			c.Text("")
			go func() { <-c.Context().Done(); late <- c.Header("X-A") }()
			return nil
		},
	}
	build := func() *App {
		app := New(Options{Server: ServerLoop})
		sub := New()
		for name, h := range ways {
			app.Get("/"+name, h)
			sub.Get("/"+name, h)
		}
		app.Mount("/sub", sub)
		return app
	}
	plain, behindPre := build(), build()
	behindPre.Pre(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if seen(r) != "it" {
				t.Error("Pre sees no header")
			}
			next.ServeHTTP(w, r)
		})
	})
	for _, app := range []*App{plain, behindPre} {
		srv := apptest.Serve(app)
		defer srv.Close()
		for name := range ways {
			for _, path := range []string{"/" + name, "/sub/" + name} {
				r, _ := http.NewRequest("GET", srv.URL+path, nil)
				r.Header = http.Header{"X-A": {"it"}, "User-Agent": {"it"}, "Cookie": {"a=it"}, "Accept": {"a/it"}}
				res, err := srv.Client().Do(r)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(res.Body)
				res.Body.Close()
				got := string(body)
				if name == "late" {
					got = <-late
				}
				if got != "it" {
					t.Errorf("%s: %q, %s", path, got, res.Status)
				}
			}
		}
	}
}

// late gets what a kept Context says of the header once its request has been answered.
var late = make(chan string)
