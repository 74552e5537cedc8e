package auth_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/auth"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// withSecret has the fewest options that a plugin needs.
func withSecret() auth.Options { return auth.Options{Keys: []auth.Key{{Key: secret}}} }

// appWith installs the plugin in an app with a route for everybody, one for known
// senders, and one each for a permission and a role.
func appWith(t *testing.T, a *auth.Plugin) *nextrush.App {
	t.Helper()
	app := nextrush.New(nextrush.Options{TrustedOrigins: []string{"https://friend.test"}})
	if err := app.Register(a); err != nil {
		t.Fatal(err)
	}
	who := func(c *nextrush.Context) error {
		if user := auth.User(c); user != nil {
			return c.Text(user.ID)
		}
		return c.Text("nobody")
	}
	app.Any("/", who)
	app.Any("/me", auth.Require(), who)
	app.Get("/write", auth.Require("posts:read", "posts:write"), who)
	app.Get("/admin", auth.RequireRole("admin", "root"), who)
	return app
}

// issue makes a token or fails the test.
func issue(t *testing.T, a *auth.Plugin, user auth.Principal) string {
	t.Helper()
	token, err := a.Issue(user)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func request(method, path string, header ...string) *http.Request {
	r, err := http.NewRequest(method, path, nil)
	if err != nil {
		panic(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestRequireAnswers401And403WithTheReason(t *testing.T) {
	opts := withSecret()
	opts.Roles = map[string][]string{"editor": {"posts:*"}, "reader": {"posts:read"}, "root": {"*"}}
	a := auth.New(opts)
	c := nextrushtest.New(t, appWith(t, a))
	token := func(user auth.Principal) string { user.ID = "ann"; return "Bearer " + issue(t, a, user) }
	expired := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(-time.Second).Unix()})
	old, err := expired.SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	early := forge(jwt.SigningMethodHS256, secret, jwt.MapClaims{"sub": "ann", "exp": time.Now().Add(time.Hour).Unix(), "nbf": time.Now().Add(time.Minute).Unix()})
	for _, test := range []struct {
		name, path, header string
		status             int
		challenge          string
	}{
		{"nobody on an open route", "/", "", 200, ""},
		{"a bad token on an open route counts as none", "/", "Bearer x", 200, ""},
		{"nobody", "/me", "", 401, `Bearer realm="api"`},
		{"another scheme", "/me", "Basic YTpi", 401, `Bearer realm="api"`},
		{"no scheme", "/me", strings.TrimPrefix(token(auth.Principal{}), "Bearer "), 401, `Bearer realm="api"`},
		{"a bad token", "/me", "Bearer x", 401, `Bearer realm="api", error="invalid_token", error_description="the token is not valid"`},
		{"an old token", "/me", "Bearer " + old, 401, `Bearer realm="api", error="invalid_token", error_description="the token has expired"`},
		{"a new token", "/me", "Bearer " + early, 401, `Bearer realm="api", error="invalid_token", error_description="the token is not yet valid"`},
		{"a token", "/me", token(auth.Principal{}), 200, ""},
		{"the scheme in any case", "/me", "bEARER " + token(auth.Principal{})[7:], 200, ""},
		{"no permission", "/write", token(auth.Principal{}), 403, `Bearer realm="api", error="insufficient_scope", scope="posts:read posts:write"`},
		{"one of two permissions", "/write", token(auth.Principal{Permissions: []string{"posts:write"}}), 403, `Bearer realm="api", error="insufficient_scope", scope="posts:read posts:write"`},
		{"a role with one of them", "/write", token(auth.Principal{Roles: []string{"reader"}}), 403, `Bearer realm="api", error="insufficient_scope", scope="posts:read posts:write"`},
		{"one by role and one by itself", "/write", token(auth.Principal{Roles: []string{"reader"}, Permissions: []string{"posts:write"}}), 200, ""},
		{"a role with posts:*", "/write", token(auth.Principal{Roles: []string{"editor"}}), 200, ""},
		{"a role with *", "/write", token(auth.Principal{Roles: []string{"root"}}), 200, ""},
		{"no role", "/admin", token(auth.Principal{}), 403, `Bearer realm="api", error="insufficient_scope"`},
		{"another role", "/admin", token(auth.Principal{Roles: []string{"administrator"}}), 403, `Bearer realm="api", error="insufficient_scope"`},
		{"a role", "/admin", token(auth.Principal{Roles: []string{"user", "admin"}}), 200, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request("GET", test.path)
			if test.header != "" {
				r.Header.Set("Authorization", test.header)
			}
			got := c.Do(r).WantStatus(test.status)
			if challenge := got.Header.Get("WWW-Authenticate"); challenge != test.challenge {
				t.Errorf("challenge %s, want %s", challenge, test.challenge)
			}
		})
	}
}

func TestPermissions(t *testing.T) {
	for _, test := range []struct {
		held, wanted string
		want         bool
	}{
		{"posts:write", "posts:write", true},
		{"posts:write", "posts:writer", false},
		{"posts:*", "posts:write", true},
		{"posts:*", "posts:write:own", true},
		{"posts:*", "postscript:write", false},
		{"posts*", "postscript", false},
		{"*", "posts:write", true},
		{"posts", "posts:write", false},
		{"", "posts:write", false},
	} {
		p := &auth.Principal{Permissions: []string{test.held}}
		if got := p.Can(test.wanted); got != test.want {
			t.Errorf("%q can %q: %v", test.held, test.wanted, got)
		}
	}
	if (*auth.Principal)(nil).Can("x") || (*auth.Principal)(nil).HasRole("") {
		t.Error("nobody may something")
	}
}

func TestRequireWithoutThePluginNamesTheFix(t *testing.T) {
	var logged error
	app := nextrush.New(nextrush.Options{ErrorHandler: func(c *nextrush.Context, err error) {
		logged = err
		nextrush.DefaultErrorHandler(c, err)
	}})
	app.Get("/", auth.Require(), func(c *nextrush.Context) error { return c.Text("open") })
	nextrushtest.New(t, app).Get("/").WantStatus(500)
	if logged == nil || !strings.Contains(logged.Error(), "app.Register(auth.New(") {
		t.Errorf("got %v", logged)
	}
}

func TestMistakesAtSetUp(t *testing.T) {
	for name, f := range map[string]func(){
		"empty permission":      func() { auth.Require("") },
		"permission with quote": func() { auth.Require(`a"b`) },
		"two in one":            func() { auth.Require("posts:read posts:write") },
		"no role":               func() { auth.RequireRole() },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			f()
		})
	}
	with := func(change func(*auth.Options)) auth.Options {
		o := withSecret()
		change(&o)
		return o
	}
	for _, test := range []struct {
		name string
		opts auth.Options
		want string
	}{
		{"nothing", auth.Options{}, "set Keys, JWKS or Lookup"},
		{"two keys of one ID", with(func(o *auth.Options) { o.Keys = append(o.Keys, o.Keys[0]) }), "two keys"},
		{"JWKS without issuer", with(func(o *auth.Options) { o.JWKS = "https://id.example/keys" }), "needs Issuer"},
		{"JWKS without audience", with(func(o *auth.Options) { o.JWKS, o.Issuer = "https://id.example/keys", "x" }), "needs Audience"},
		{"JWKS without TLS", with(func(o *auth.Options) { o.JWKS, o.Issuer, o.Audience = "http://id.example/keys", "x", "y" }), "https only"},
		{"a cookie with a space", with(func(o *auth.Options) { o.Cookie = "my token" }), "Cookie:"},
		{"quotes in the realm", with(func(o *auth.Options) { o.Realm = `a"b` }), "Realm"},
		{"every origin", with(func(o *auth.Options) { o.TrustedOrigins = []string{"*"} }), "every site"},
		{"no origin", with(func(o *auth.Options) { o.TrustedOrigins = []string{"null"} }), "every site"},
		{"an origin with a path", with(func(o *auth.Options) { o.TrustedOrigins = []string{"https://a.example/x"} }), "TrustedOrigins"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := nextrush.New().Register(auth.New(test.opts))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestCookieOfLogin(t *testing.T) {
	opts := withSecret()
	opts.Cookie, opts.TTL = "__Host-token", time.Hour
	opts.TrustedOrigins = []string{"https://front.test"}
	a := auth.New(opts)
	app := appWith(t, a)
	app.Post("/login", func(c *nextrush.Context) error {
		if err := a.Login(c, auth.Principal{ID: "ann"}); err != nil {
			return err
		}
		return c.NoContent()
	})
	app.Post("/logout", func(c *nextrush.Context) error { a.Logout(c); return c.NoContent() })
	c := nextrushtest.New(t, app)

	in := c.Post("/login", "").WantStatus(204)
	cookie := in.Cookies()[0]
	if cookie.Name != "__Host-token" || !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode ||
		cookie.Path != "/" || cookie.Domain != "" || cookie.MaxAge != 3600 {
		t.Errorf("cookie %s", cookie)
	}
	if vary := c.Get("/").Header.Get("Vary"); !strings.Contains(vary, "Cookie") {
		t.Errorf("Vary %q", vary)
	}
	if cache := in.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("Cache-Control %q", cache)
	}
	if out := c.Post("/logout", "").WantStatus(204).Cookies()[0]; out.MaxAge >= 0 || out.Value != "" || !out.Secure {
		t.Errorf("logout sets %s", out)
	}
	for _, test := range []struct {
		name, method string
		header       []string
		status       int
	}{
		{"reading", "GET", nil, 200},
		{"reading from another site", "GET", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 200},
		{"changing from the same origin", "POST", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://app.test"}, 200},
		{"changing by a client that is not a browser", "POST", nil, 200},
		{"changing from another site", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.test"}, 403},
		{"changing from a subdomain", "POST", []string{"Sec-Fetch-Site", "same-site", "Origin", "https://evil.app.test"}, 403},
		{"changing from another origin, of an old browser", "POST", []string{"Origin", "https://evil.test"}, 403},
		{"changing from null", "POST", []string{"Origin", "null"}, 403},
		{"changing from the same origin with its port, of an old browser", "POST", []string{"Origin", "http://app.test:80"}, 200},
		{"changing from a trusted origin with its port", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://front.test:443"}, 200},
		{"changing from an origin that the app trusts", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://friend.test"}, 200},
		{"changing from a trusted origin", "POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://front.test"}, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request(test.method, "/me", test.header...)
			r.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
			c.Do(r).WantStatus(test.status)
		})
	}
}

// Old browsers send no Sec-Fetch-Site, and a page of http:// may be anybody's.
func TestCookieOfHTTPSIsNotForPagesOfHTTP(t *testing.T) {
	opts := withSecret()
	opts.Cookie = "token"
	a := auth.New(opts)
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"192.0.2.1"}})
	if err := app.Register(a); err != nil {
		t.Fatal(err)
	}
	app.Any("/", auth.Require(), func(c *nextrush.Context) error { return c.NoContent() })
	token, err := a.Issue(auth.Principal{ID: "ann"})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, url, origin string
		status              int
	}{
		{"POST", "https://app.test/", "https://app.test", 204},
		{"POST", "https://app.test/", "http://app.test", 403},
		{"GET", "https://app.test/", "http://app.test", 204},
		{"POST", "http://app.test/", "http://app.test", 204},
		{"POST", "https://10.0.0.1:3000/", "https://front.test", 204}, // as the proxy says
		{"POST", "https://10.0.0.1:3000/", "http://front.test", 403},
	} {
		r := httptest.NewRequest(test.method, test.url, nil) // from 192.0.2.1
		r.Header.Set("Origin", test.origin)
		r.AddCookie(&http.Cookie{Name: "token", Value: token})
		if strings.Contains(test.url, "10.0.0.1") {
			r.Header.Set("X-Forwarded-Host", "front.test")
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != test.status {
			t.Errorf("%s %s from %s: %d", test.method, test.url, test.origin, w.Code)
		}
	}
}

func TestOfSeveralCookiesTheValidOneCounts(t *testing.T) {
	opts := withSecret()
	opts.Cookie = "token"
	away := errors.New("away")
	opts.Check = func(_ context.Context, p *auth.Principal) error {
		if p.ID == "bob" {
			return nextrush.NewError(http.StatusServiceUnavailable).WithCause(away)
		}
		return nil
	}
	a := auth.New(opts)
	c := nextrushtest.New(t, appWith(t, a))
	token, unchecked := "token="+issue(t, a, auth.Principal{ID: "ann"}), "token="+issue(t, a, auth.Principal{ID: "bob"})
	for cookies, status := range map[string]int{
		"token=stale; " + token:                     200,
		token + "; token=stale":                     200,
		"token=; token=a; token=b; x=y; " + token:   200,
		unchecked + "; " + token:                    200,
		"token=stale; token=old":                    401,
		"token=":                                    401,
		"token=stale; " + unchecked + "; token=old": 503,
	} {
		c.Do(request("GET", "/me", "Cookie", cookies)).WantStatus(status)
	}
}

func TestLoginWithoutACookieNameNamesTheFix(t *testing.T) {
	a := auth.New(withSecret())
	app := appWith(t, a)
	app.Get("/login", func(c *nextrush.Context) error {
		err := a.Login(c, auth.Principal{ID: "ann"})
		if err == nil || !strings.Contains(err.Error(), "Options.Cookie") {
			t.Errorf("got %v", err)
		}
		return nil
	})
	c := nextrushtest.New(t, app)
	c.Get("/login")
	r := request("GET", "/me")
	r.AddCookie(&http.Cookie{Name: "token", Value: issue(t, a, auth.Principal{ID: "ann"})})
	c.Do(r).WantStatus(401)
}

func TestLookupIsCalledWithoutAToken(t *testing.T) {
	a := auth.New(auth.Options{
		Roles: map[string][]string{"editor": {"posts:*"}},
		Lookup: func(c *nextrush.Context) (*auth.Principal, error) {
			switch c.Cookie("session") {
			case "1":
				return &auth.Principal{ID: "ann", Roles: []string{"editor"}}, nil
			case "broken":
				return nil, nextrush.NewError(http.StatusServiceUnavailable)
			}
			return nil, nil
		},
	})
	c := nextrushtest.New(t, appWith(t, a))
	for session, status := range map[string]int{"1": 200, "2": 401, "broken": 503} {
		c.Do(request("GET", "/write", "Cookie", "session="+session)).WantStatus(status)
	}
}

func TestPluginOfAMountedApp(t *testing.T) {
	a := auth.New(withSecret())
	app := nextrush.New()
	app.Mount("/sub", appWith(t, a))
	c := nextrushtest.New(t, app)
	c.Get("/sub/me").WantStatus(401)
	c.Do(request("GET", "/sub/me", "Authorization", "Bearer "+issue(t, a, auth.Principal{ID: "ann"}))).WantStatus(200)
}

// Under the race detector: a handler that is too late asks while those outside of it do.
func TestALateHandlerMayAskWhoItIs(t *testing.T) {
	a := auth.New(withSecret())
	app := nextrush.New()
	app.Register(a)
	ended := make(chan struct{})
	who := func(c *nextrush.Context) string {
		if p := auth.User(c); p != nil {
			return p.ID
		}
		return "nobody"
	}
	app.Use(func(c *nextrush.Context) error {
		err := c.Next()
		if id := who(c); id != "ada" {
			t.Errorf("before: %s", id)
		}
		return err
	}, nextrush.WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			go func() {
				defer close(ended)
				next.ServeHTTP(httptest.NewRecorder(), r)
			}()
		})
	}))
	app.Get("/", func(c *nextrush.Context) error {
		if id := who(c); id != "ada" {
			t.Errorf("behind: %s", id)
		}
		return nil
	})
	r := request("GET", "/", "Authorization", "Bearer "+issue(t, a, auth.Principal{ID: "ada"}))
	app.ServeHTTP(httptest.NewRecorder(), r)
	<-ended
}
