package middleware_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// whoami serves the identity at GET / behind a handler.
func whoami(h nextrush.Handler) *nextrush.App {
	app := nextrush.New()
	app.Use(h)
	app.Get("/", func(c *nextrush.Context) error {
		return c.Text(fmt.Sprint(c.Get(middleware.IdentityKey)))
	})
	return app
}

func ask(h http.Handler, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func basic(pair string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

func TestBasicAuth(t *testing.T) {
	app := whoami(middleware.BasicAuth(middleware.BasicAuthOptions{
		Users: map[string]string{"ada": "pass:word", "bob": "secret"}, Realm: `the "lab"`,
	}))
	for name, test := range map[string]struct {
		header string
		want   string // empty: 401
	}{
		"right":                    {basic("ada:pass:word"), "ada"},
		"scheme in upper case":     {"BASIC " + basic("bob:secret")[6:], "bob"},
		"another's password":       {basic("ada:secret"), ""},
		"prefix of the password":   {basic("bob:secre"), ""},
		"empty password":           {basic("bob:"), ""},
		"unknown user":             {basic("eve:secret"), ""},
		"user in another case":     {basic("Bob:secret"), ""},
		"no colon":                 {basic("bob"), ""},
		"colon moved to the name":  {basic("ada:pass:wor"), ""},
		"not base64":               {"Basic ???", ""},
		"no header":                {"", ""},
		"another scheme":           {"Bearer bob:secret", ""},
		"the pair without base 64": {"Basic bob:secret", ""},
	} {
		w := ask(app, "/", "Authorization", test.header)
		switch {
		case test.want != "" && (w.Code != 200 || w.Body.String() != test.want):
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		case test.want == "" && (w.Code != 401 || w.Header().Get("WWW-Authenticate") != `Basic realm="the \"lab\"", charset="UTF-8"`):
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

func TestBearerAuth(t *testing.T) {
	app := whoami(middleware.BearerAuth(middleware.BearerAuthOptions{Tokens: map[string]string{"t0ken": "ada"}}))
	for name, test := range map[string]struct {
		header, want, challenge string
	}{
		"right":                  {"Bearer t0ken", "ada", ""},
		"scheme in lower case":   {"bearer  t0ken", "ada", ""},
		"wrong token":            {"Bearer token", "", `Bearer realm="Restricted", error="invalid_token"`},
		"right one and more":     {"Bearer t0ken x", "", `Bearer realm="Restricted", error="invalid_token"`},
		"no header":              {"", "", `Bearer realm="Restricted"`},
		"no token":               {"Bearer ", "", `Bearer realm="Restricted"`},
		"another scheme":         {"Basic t0ken", "", `Bearer realm="Restricted"`},
		"scheme that begins so":  {"Bearert0ken", "", `Bearer realm="Restricted"`},
		"the token and no schem": {"t0ken", "", `Bearer realm="Restricted"`},
	} {
		w := ask(app, "/", "Authorization", test.header)
		switch {
		case test.want != "" && (w.Code != 200 || w.Body.String() != test.want):
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		case test.want == "" && (w.Code != 401 || w.Header().Get("WWW-Authenticate") != test.challenge):
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
}

func TestKeyAuthLooksWhereItIsTold(t *testing.T) {
	keys := map[string]string{"k1": "ada", "k2": "bob"}
	everywhere := middleware.KeyAuthOptions{Keys: keys, Header: "X-Key", Query: "key", Cookie: "key"}
	for name, test := range map[string]struct {
		opts   middleware.KeyAuthOptions
		target string
		header []string
		want   string
	}{
		"X-API-Key by default":     {middleware.KeyAuthOptions{Keys: keys}, "/", []string{"X-API-Key", "k1"}, "ada"},
		"no query by default":      {middleware.KeyAuthOptions{Keys: keys}, "/?key=k1", nil, ""},
		"header":                   {everywhere, "/", []string{"X-Key", "k2"}, "bob"},
		"query":                    {everywhere, "/?key=k2", nil, "bob"},
		"cookie":                   {everywhere, "/", []string{"Cookie", "key=k2"}, "bob"},
		"a stale cookie first":     {everywhere, "/", []string{"Cookie", "key=old; key=; key=k2"}, "bob"},
		"stale cookies alone":      {everywhere, "/", []string{"Cookie", "key=old; key=older"}, ""},
		"header before query":      {everywhere, "/?key=k2", []string{"X-Key", "wrong"}, ""},
		"query alone, in a header": {middleware.KeyAuthOptions{Keys: keys, Query: "key"}, "/", []string{"X-API-Key", "k1"}, ""},
		"wrong":                    {middleware.KeyAuthOptions{Keys: keys}, "/", []string{"X-API-Key", "k3"}, ""},
		"empty":                    {middleware.KeyAuthOptions{Keys: keys}, "/", []string{"X-API-Key", ""}, ""},
	} {
		w := ask(whoami(middleware.KeyAuth(test.opts)), test.target, test.header...)
		switch {
		case test.want != "" && (w.Code != 200 || w.Body.String() != test.want):
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		case test.want == "" && (w.Code != 401 || w.Header().Get("WWW-Authenticate") != `ApiKey realm="Restricted"`):
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
	}
	w := ask(whoami(middleware.KeyAuth(everywhere)), "/", "X-Key", "k1")
	if got := w.Header()["Vary"]; len(got) != 2 || got[0] != "X-Key" || got[1] != "Cookie" {
		t.Errorf("Vary %q", got)
	}
}

func TestAuthTellsARefusalFromAFailedCheck(t *testing.T) {
	for status, check := range map[int]middleware.CheckFunc{
		200: func(_ *nextrush.Context, key string) (any, bool, error) { return 7, key == "k", nil },
		401: func(*nextrush.Context, string) (any, bool, error) { return 7, false, nil },
		500: func(*nextrush.Context, string) (any, bool, error) { return 7, true, errors.New("no database") },
		503: func(*nextrush.Context, string) (any, bool, error) {
			return nil, false, nextrush.NewError(503).WithCause(context.DeadlineExceeded)
		},
	} {
		pair := func(c *nextrush.Context, user, password string) (any, bool, error) { return check(c, user+password) }
		for header, h := range map[string]nextrush.Handler{
			"Bearer k":    middleware.BearerAuth(middleware.BearerAuthOptions{Check: check}),
			basic("k:"):   middleware.BasicAuth(middleware.BasicAuthOptions{Check: pair}),
			"X-API-Key k": middleware.KeyAuth(middleware.KeyAuthOptions{Check: check}),
		} {
			w := ask(whoami(h), "/", "Authorization", header, "X-API-Key", "k")
			if w.Code != status || status == 200 && w.Body.String() != "7" {
				t.Errorf("%s: %d %s, want %d", header, w.Code, w.Body, status)
			}
		}
	}
}

func TestAuthRefusesMistakesAtSetUp(t *testing.T) {
	check := func(*nextrush.Context, string) (any, bool, error) { return nil, true, nil }
	pair := func(*nextrush.Context, string, string) (any, bool, error) { return nil, true, nil }
	for name, setUp := range map[string]func(){
		"nobody may pass": func() { middleware.BearerAuth(middleware.BearerAuthOptions{}) },
		"two ways to check": func() {
			middleware.KeyAuth(middleware.KeyAuthOptions{Check: check, Keys: map[string]string{"k": "ada"}})
		},
		"basic, two ways": func() {
			middleware.BasicAuth(middleware.BasicAuthOptions{Check: pair, Users: map[string]string{"a": "b"}})
		},
		"an empty key":            func() { middleware.KeyAuth(middleware.KeyAuthOptions{Keys: map[string]string{"": "ada"}}) },
		"an empty password":       func() { middleware.BasicAuth(middleware.BasicAuthOptions{Users: map[string]string{"ada": ""}}) },
		"a colon in a name":       func() { middleware.BasicAuth(middleware.BasicAuthOptions{Users: map[string]string{"a:b": "c"}}) },
		"a line break in a realm": func() { middleware.BearerAuth(middleware.BearerAuthOptions{Check: check, Realm: "a\r\nX: y"}) },
	} {
		wantPanic(t, name, setUp)
	}
}

// wantPanic fails the test where a mistake at set-up goes unnoticed.
func wantPanic(t *testing.T, name string, setUp func()) {
	t.Helper()
	defer func() {
		if recover() == nil {
			t.Errorf("%s: no panic", name)
		}
	}()
	setUp()
}

func ExampleBasicAuth() {
	app := nextrush.New()
	admin := app.Group("/admin", middleware.BasicAuth(middleware.BasicAuthOptions{
		Users: map[string]string{"ada": "from a secret store"},
	}))
	admin.Get("/", func(c *nextrush.Context) error {
		name, _ := nextrush.Value[string](c, middleware.IdentityKey)
		return c.Text("Hello " + name)
	})
}

func ExampleBearerAuth() {
	type account struct{ Name string }
	app := nextrush.New()
	app.Use(middleware.BearerAuth(middleware.BearerAuthOptions{
		Check: func(c *nextrush.Context, token string) (any, bool, error) {
			return account{"ada"}, token == "looked up by its hash", nil
		},
	}))
	app.Get("/me", func(c *nextrush.Context) error {
		who, _ := nextrush.Value[account](c, middleware.IdentityKey)
		return c.Text(who.Name)
	})
}

func ExampleKeyAuth() {
	app := nextrush.New()
	api := app.Group("/api", middleware.KeyAuth(middleware.KeyAuthOptions{
		Keys: map[string]string{"from a secret store": "reports"},
	}))
	api.Get("/caller", func(c *nextrush.Context) error {
		name, _ := nextrush.Value[string](c, middleware.IdentityKey)
		return c.Text(name)
	})
	fmt.Println(ask(app, "/api/caller", "X-API-Key", "from a secret store").Body)
	// Output: reports
}

func TestAuthStandsBeforeSocketsAndTellsThemWhoItIs(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(middleware.SecureHeaders(), middleware.CSRF(), middleware.CacheControl(),
		middleware.KeyAuth(middleware.KeyAuthOptions{Keys: map[string]string{"k1": "ada"}, Query: "key"}))
	app.WS("/", func(s *websocket.Socket, c *nextrush.Context) error {
		name, _ := nextrush.Value[string](c, middleware.IdentityKey)
		return s.Send(name)
	})
	client := nextrushtest.New(t, app)
	client.Dial("/?key=k1").Expect("ada")
	if refused := client.DialError("/?key=k2"); refused.Status != 401 {
		t.Errorf("%d", refused.Status)
	}
}
