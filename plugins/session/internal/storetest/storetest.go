// Package storetest has the tests that every store of sessions must pass.
package storetest

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/session"
)

const (
	rounds = 300
	atOnce = 4 // rounds, each with its own session
)

// Run changes and ends sessions while other requests read and write them, and fails if a
// change or an end is undone. Each of the options stands for a process.
func Run(t *testing.T, processes ...session.Options) {
	var apps []http.Handler
	for _, o := range processes {
		apps = append(apps, newApp(o))
	}
	for name, requests := range map[string][]string{
		"ended":   {"/read", "/write", "/logout", "/read", "/write"},
		"renewed": {"/read", "/write", "/renew", "/read", "/write"},
		"changed": {"/read", "/read", "/remove", "/read", "/read"},
	} {
		t.Run(name, func(t *testing.T) {
			var wg sync.WaitGroup
			for range atOnce {
				wg.Go(func() {
					for range rounds / atOnce {
						round(t, apps, requests)
					}
				})
			}
			wg.Wait()
		})
	}
}

func newApp(o session.Options) http.Handler {
	app := nextrush.New()
	app.Register(session.New(o))
	app.Get("/login", func(c *nextrush.Context) error {
		session.Put(c, "user", "ann")
		return c.NoContent()
	})
	app.Get("/read", func(c *nextrush.Context) error {
		user, _ := session.Get[string](c, "user")
		return c.Text(user)
	})
	app.Get("/write", func(c *nextrush.Context) error {
		session.Put(c, "page", "/write")
		return c.NoContent()
	})
	app.Get("/remove", func(c *nextrush.Context) error {
		session.Remove(c, "user")
		return c.NoContent()
	})
	app.Get("/logout", func(c *nextrush.Context) error { return session.Destroy(c) })
	app.Get("/renew", func(c *nextrush.Context) error {
		session.Remove(c, "user")
		return session.Renew(c)
	})
	return app
}

// round makes one session; no process may have it at the end.
func round(t *testing.T, apps []http.Handler, requests []string) {
	cookie := get(t, apps[0], "/login", nil).Result().Cookies()[0]
	var wg sync.WaitGroup
	for i, path := range requests {
		wg.Go(func() { get(t, apps[i%len(apps)], path, cookie) })
	}
	wg.Wait()
	for i, app := range apps {
		if w := get(t, app, "/read", cookie); w.Body.Len() > 0 {
			t.Errorf("process %d has %q", i, w.Body)
		}
	}
}

func get(t *testing.T, app http.Handler, path string, cookie *http.Cookie) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code >= 500 {
		t.Errorf("%s: %d %s", path, w.Code, w.Body)
	}
	return w
}
