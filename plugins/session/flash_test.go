package session_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/session"
)

func TestFlashIsShownOnceAfterARedirect(t *testing.T) {
	for name, o := range map[string]session.Options{"in memory": {}, "in the cookie": {Keys: [][]byte{bytes.Repeat([]byte("k"), 32)}}} {
		app := nextrush.New()
		app.Register(session.New(o))
		app.Get("/save", func(c *nextrush.Context) error {
			session.Flash(c, "info", "saved")
			session.Flash(c, "warning", "slow & late")
			return c.Redirect("/page", 303)
		})
		app.Get("/more", func(c *nextrush.Context) error {
			session.Flash(c, "error", "again")
			return c.Redirect("/page", 303)
		})
		app.Get("/other", func(c *nextrush.Context) error { return c.Text("shows none") })
		app.Get("/page", func(c *nextrush.Context) error { return c.Text(fmt.Sprint(session.Flashes(c))) })
		b := &browser{app: app}
		for _, step := range [][2]string{
			{"/page", "[]"}, {"/save", ""}, {"/other", "shows none"}, {"/more", ""},
			{"/page", "[{info saved} {warning slow & late} {error again}]"}, {"/page", "[]"},
		} {
			if got := b.get(step[0]); got != step[1] {
				t.Errorf("%s: %s is %q, want %q", name, step[0], got, step[1])
			}
		}
	}
}

// Pages that look for messages make no session and no cookie.
func TestFlashesWithoutAnyChangeNothing(t *testing.T) {
	app := nextrush.New()
	app.Register(session.New(session.Options{}))
	app.Get("/", func(c *nextrush.Context) error { return c.Text(fmt.Sprint(len(session.Flashes(c)))) })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if w.Body.String() != "0" || w.Header().Get("Set-Cookie") != "" {
		t.Errorf("%q %v", w.Body, w.Header())
	}
}

func ExampleFlash() {
	app := nextrush.New()
	app.Register(session.New(session.Options{}))
	app.Post("/books", func(c *nextrush.Context) error {
		session.Flash(c, "info", "The book is saved.")
		return c.Redirect("/books", http.StatusSeeOther)
	})
	app.Get("/books", func(c *nextrush.Context) error {
		for _, m := range session.Flashes(c) {
			fmt.Println(m.Kind, m.Text)
		}
		return c.NoContent()
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("POST", "/books", nil))
	r := httptest.NewRequest("GET", "/books", nil)
	r.AddCookie(w.Result().Cookies()[0])
	app.ServeHTTP(httptest.NewRecorder(), r)
	// Output: info The book is saved.
}

// Scripts read them as JSON: a list, with names in small letters.
func TestFlashesAsJSON(t *testing.T) {
	app := nextrush.New()
	app.Register(session.New(session.Options{}))
	app.Get("/", func(c *nextrush.Context) error { return c.JSON(session.Flashes(c)) })
	app.Get("/new", func(c *nextrush.Context) error {
		session.Flash(c, "info", "saved")
		return c.JSON(session.Flashes(c))
	})
	for path, want := range map[string]string{"/": `[]`, "/new": `[{"kind":"info","text":"saved"}]`} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
	}
}
