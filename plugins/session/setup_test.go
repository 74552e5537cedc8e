package session_test

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/session"
)

// net/http drops a malformed cookie, or the malformed part of it, and browsers drop one
// that breaks the promise of its name: nobody could ever log in.
func TestACookieThatNoBrowserWouldKeepIsAnErrorAtSetUp(t *testing.T) {
	for want, o := range map[string]session.Options{
		"Cookie.Name":     {Cookie: "my session"},
		"Cookie.Domain":   {Domain: "https://a.example"},
		"Cookie.Path":     {Path: "/a;b"},
		"leave out":       {Cookie: "__Host-session", Domain: "a.example"},
		"leave out Path":  {Cookie: "__host-session", Path: "/app"},
		"Lifetime":        {Lifetime: -time.Hour},
		"begins with a /": {Path: "app"},
	} {
		if err := nextrush.New().Register(session.New(o)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	for _, o := range []session.Options{{}, {Cookie: "__Host-session"}, {Cookie: "__Secure-s", Domain: "a.example", Path: "/app"}} {
		if err := nextrush.New().Register(session.New(o)); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// Even behind a proxy that is not trusted, where the request seems to be plain HTTP.
func TestACookieWhoseNamePromisesItIsSecure(t *testing.T) {
	app := nextrush.New()
	app.Register(session.New(session.Options{Cookie: "__Host-session"}))
	app.Get("/", func(c *nextrush.Context) error {
		session.Put(c, "user", "ann")
		return c.NoContent()
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, "; Secure") {
		t.Error(got)
	}
}
