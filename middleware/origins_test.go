package middleware_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// newTrusting returns an app that trusts an origin by a list and one by a function.
func newTrusting(t *testing.T) *nextrush.App {
	app := nextrush.New(nextrush.Options{
		TrustedOrigins: []string{"https://listed.example"},
		TrustOrigin: func(_ *http.Request, from string) bool {
			if from == "null" || from == "*" || from == "" {
				t.Errorf("asked for %q", from)
			}
			return from == "https://tenant.example"
		},
	})
	app.Use(middleware.CORS(middleware.CORSOptions{Credentials: true}))
	app.EnableWebSocket(websocket.Options{
		AllowOrigins: []string{"https://socket.example"},
		TrustOrigin:  func(_ *http.Request, from string) bool { return from == "https://caller.example" },
	})
	app.WS("/socket", func(s *websocket.Socket, c *nextrush.Context) error { return s.Send("open") })
	csrf := middleware.CSRF(middleware.CSRFOptions{TrustedOrigins: []string{"https://form.example"}, Secret: bytes.Repeat([]byte("k"), 32)})
	app.With(csrf).Post("/form", text("ok"))
	return app
}

func TestOneListOfTrustedOriginsIsForAll(t *testing.T) {
	app := newTrusting(t)
	client := nextrushtest.New(t, app)
	for from, trusted := range map[string]struct{ all, sockets, forms bool }{
		"https://listed.example":         {all: true},
		"https://tenant.example":         {all: true},
		"https://socket.example":         {sockets: true},
		"https://caller.example":         {sockets: true},
		"https://form.example":           {forms: true},
		"https://listed.example.evil":    {},
		"http://listed.example":          {},
		"https://tenant.example:8443":    {},
		"null":                           {},
		"*":                              {},
		"https://tenant.example/":        {},
		"https://a.example tenant.other": {},
	} {
		r := httptest.NewRequest("POST", "/form", nil)
		r.Header.Set("Origin", from)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if got, want := w.Code == 200, trusted.all || trusted.forms; got != want {
			t.Errorf("%s: a form is %d", from, w.Code)
		}
		marked := w.Header().Get("Access-Control-Allow-Origin")
		if (marked == from && w.Header().Get("Access-Control-Allow-Credentials") == "true") != trusted.all || !trusted.all && marked != "" {
			t.Errorf("%s: CORS allows %q", from, marked)
		}
		opts := &websocket.DialOptions{Header: http.Header{"Origin": {from}}}
		if trusted.all || trusted.sockets {
			client.Dial("/socket", opts).Expect("open")
		} else if err := client.DialError("/socket", opts); err.Status != 403 {
			t.Errorf("%s: a socket is %d", from, err.Status)
		}
	}
}

func TestNobodyTrustsEverySite(t *testing.T) {
	for _, every := range []string{"*", "null"} {
		list := []string{"https://a.example", every}
		wantPanic(t, "Options "+every, func() { nextrush.New(nextrush.Options{TrustedOrigins: list}) })
		wantPanic(t, "CSRF "+every, func() { middleware.CSRF(middleware.CSRFOptions{TrustedOrigins: list}) })
		wantPanic(t, "CORS "+every, func() { middleware.CORS(middleware.CORSOptions{AllowOrigins: list, Credentials: true}) })
	}
}

// Without credentials the App's list does not narrow or widen what CORS allows.
func TestCORSWithoutCredentialsIsNotAboutTrust(t *testing.T) {
	app := nextrush.New(nextrush.Options{TrustedOrigins: []string{"https://listed.example"}})
	app.Use(middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{"https://a.example"}}))
	app.Get("/", text("ok"))
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("Origin", "https://listed.example")
	w := httptest.NewRecorder()
	if app.ServeHTTP(w, r); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%v", w.Header())
	}
}
