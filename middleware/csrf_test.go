package middleware_test

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// csrfApp answers all requests for /, and for what is below /hooks.
func csrfApp(o middleware.CSRFOptions) *nextrush.App {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Use(middleware.CSRF(o))
	ok := func(c *nextrush.Context) error { return c.Text("ok") }
	app.Any("/", ok)
	app.Any("/hooks/*rest", ok)
	return app
}

func TestCSRFRefusesWhatOtherSitesHaveBrowsersSend(t *testing.T) {
	app := csrfApp(middleware.CSRFOptions{TrustedOrigins: []string{"https://Friend.example"}})
	for name, test := range map[string]struct {
		method string
		header []string
		want   int
	}{
		"a program, no browser":        {"POST", nil, 200},
		"same origin":                  {"POST", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		"typed by the user":            {"POST", []string{"Sec-Fetch-Site", "none"}, 200},
		"cross site":                   {"POST", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"same site, another host":      {"POST", []string{"Sec-Fetch-Site", "same-site"}, 403},
		"unknown value":                {"POST", []string{"Sec-Fetch-Site", "Same-Origin"}, 403},
		"cross site, Origin forged":    {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://example.com"}, 403},
		"own origin, old browser":      {"POST", []string{"Origin", "https://example.com"}, 200},
		"own origin with its port":     {"POST", []string{"Origin", "https://example.com:443"}, 200},
		"own origin in capitals":       {"POST", []string{"Origin", "https://Example.COM"}, 200},
		"trusted origin with its port": {"POST", []string{"Origin", "https://friend.example:443"}, 200},
		"foreign origin":               {"POST", []string{"Origin", "https://evil.example"}, 403},
		"null origin":                  {"POST", []string{"Origin", "null"}, 403},
		"own origin as a prefix":       {"POST", []string{"Origin", "https://example.com.evil.example"}, 403},
		"own origin as a suffix":       {"POST", []string{"Origin", "https://evilexample.com"}, 403},
		"own origin as user name":      {"POST", []string{"Origin", "https://example.com@evil.example"}, 403},
		"another port":                 {"POST", []string{"Origin", "https://example.com:8443"}, 403},
		"own host without HTTPS":       {"POST", []string{"Origin", "http://example.com"}, 403},
		"trusted origin":               {"POST", []string{"Sec-Fetch-Site", "cross-site", "Origin", "https://friend.example"}, 200},
		"trusted origin, old browser":  {"POST", []string{"Origin", "https://friend.example"}, 200},
		"trusted origin without HTTPS": {"POST", []string{"Origin", "http://friend.example"}, 403},
		"PUT":                          {"PUT", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"PATCH":                        {"PATCH", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"DELETE":                       {"DELETE", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"GET":                          {"GET", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"HEAD":                         {"HEAD", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"OPTIONS":                      {"OPTIONS", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"GET by another name":          {"get", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		r := httptest.NewRequest(test.method, "https://example.com/", nil)
		for i := 0; i < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
		if w.Code == 403 && !(strings.Contains(w.Body.String(), `"code":"csrf"`) && strings.Contains(w.Body.String(), "Origin")) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}

func TestCSRFKnowsTheHostBehindATrustedProxyOnly(t *testing.T) {
	app := csrfApp(middleware.CSRFOptions{})
	for peer, want := range map[string]int{"10.0.0.1:9": 200, "192.0.2.1:9": 403} {
		r := httptest.NewRequest("POST", "http://inside:8080/", nil)
		r.RemoteAddr = peer
		r.Header.Set("Origin", "https://example.com")
		r.Header.Set("X-Forwarded-Host", "example.com")
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("from %s: %d, want %d", peer, w.Code, want)
		}
	}
}

func TestCSRFBypassesWhatTheRouterSees(t *testing.T) {
	app := csrfApp(middleware.CSRFOptions{Bypass: []string{"POST /hooks/{name}"}, Secret: make([]byte, 32)})
	for name, test := range map[string]struct {
		method, target string
		want           int
	}{
		"the pattern":      {"POST", "/hooks/a", 200},
		"another method":   {"PUT", "/hooks/a", 403},
		"a longer path":    {"POST", "/hooks/a/b", 403},
		"an encoded slash": {"POST", "/hooks/a%2Fb", 403},
		"an unclean path":  {"POST", "/hooks//a", 403},
		"dots":             {"POST", "/hooks/x/../a", 403},
	} {
		r := httptest.NewRequest(test.method, test.target, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}

// A parameter may hold a slash where a catch-all, which is a path, has two segments.
func TestCSRFBypassesTheRouteThatThePatternMeans(t *testing.T) {
	ok := func(c *nextrush.Context) error { return c.Text(c.Route()) }
	app := nextrush.New()
	app.Use(middleware.CSRF(middleware.CSRFOptions{Bypass: []string{"POST /hooks/{id}", "/public/", "/one/{id}/two"}}))
	for _, path := range []string{"/hooks/:id", "/hooks/:id/x", "/:name", "/public/*rest", "/one/*rest", "/a/:id"} {
		app.Any(path, ok)
	}
	for path, want := range map[string]int{
		"/hooks/a%2Fb":        200, // what /hooks/:id has as "a/b"
		"/hooks/a%2Fx":        200,
		"/hooks/a%2F%2Fb":     200,
		"/hooks/a%2Fb/x":      403,
		"/hooks%2Fa":          403,
		"/public%2Fa":         403,
		"/public/a%2Fb":       200,
		"/public/..%2Fa":      403,
		"/public/%2e%2e/a/b":  403,
		"/public/x%2F..%2F/b": 403,
		"/one/a/two":          200,
		"/one/a%2Fb/two":      403, // the catch-all has "a/b/two", which no pattern means
	} {
		r := httptest.NewRequest("POST", path, nil)
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

func TestCSRFTakesTheSchemeIntoAccountOnlyOverHTTPS(t *testing.T) {
	app := csrfApp(middleware.CSRFOptions{})
	for want, state := range map[int]*tls.ConnectionState{200: nil, 403: new(tls.ConnectionState)} {
		r := httptest.NewRequest("POST", "/", nil)
		r.TLS = state
		r.Header.Set("Origin", "http://example.com")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%d, want %d", w.Code, want)
		}
	}
}

func TestCSRFRefusesMistakesAtSetUp(t *testing.T) {
	for name, o := range map[string]middleware.CSRFOptions{
		"an origin beyond ASCII":   {TrustedOrigins: []string{"https://bücher.example"}},
		"an origin with a path":    {TrustedOrigins: []string{"https://a.example/"}},
		"an origin without scheme": {TrustedOrigins: []string{"a.example"}},
		"a pattern twice":          {Bypass: []string{"/a", "/a"}},
		"a short secret":           {Secret: make([]byte, 31)},
		"an empty secret":          {Secret: []byte{}},
	} {
		wantPanic(t, name, func() { middleware.CSRF(o) })
	}
}

func ExampleCSRF() {
	app := nextrush.New()
	app.Use(middleware.CSRF(middleware.CSRFOptions{
		TrustedOrigins: []string{"https://admin.example"},
		Bypass:         []string{"POST /webhooks/"},
	}))
	app.Post("/transfer", func(c *nextrush.Context) error { return c.NoContent() })

	r := httptest.NewRequest("POST", "/transfer", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 403
}
