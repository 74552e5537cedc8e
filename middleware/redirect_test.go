package middleware_test

import (
	"crypto/tls"
	"fmt"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// location is where a request for a host and target is redirected to; empty
// where it gets to its route.
func location(t *testing.T, h nextrush.Handler, host, target string, state *tls.ConnectionState) string {
	t.Helper()
	app := nextrush.New()
	app.Use(h)
	app.Any("/*rest", func(c *nextrush.Context) error { return c.NoContent() })
	r := httptest.NewRequest("POST", "/", nil)
	r.Host, r.TLS = host, state
	r.URL.RawPath, r.URL.RawQuery, _ = strings.Cut(target, "?")
	r.URL.Path, _ = url.PathUnescape(r.URL.RawPath)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if to := w.Header().Get("Location"); w.Code == 204 && to == "" || w.Code == 308 && to != "" {
		return to
	}
	t.Errorf("%s%s: %d %v", host, target, w.Code, w.Header())
	return ""
}

func TestHTTPSRedirect(t *testing.T) {
	toHTTPS := middleware.HTTPSRedirect()
	on8443 := middleware.HTTPSRedirect(middleware.HTTPSRedirectOptions{Port: 8443})
	for name, test := range map[string]struct {
		handler      nextrush.Handler
		host, target string
		want         string
	}{
		"the same path and query": {toHTTPS, "a.example", "/x y?q=1&r=%20", "https://a.example/x%20y?q=1&r=%20"},
		"without the port":        {toHTTPS, "a.example:8080", "/", "https://a.example/"},
		"to another port":         {on8443, "a.example:8080", "/", "https://a.example:8443/"},
		"IPv6":                    {toHTTPS, "[2001:db8::1]:80", "/", "https://[2001:db8::1]/"},
		"IPv6 to another port":    {on8443, "[2001:db8::1]", "/", "https://[2001:db8::1]:8443/"},
		"upper case, last dot":    {toHTTPS, "A.Example.", "/", "https://a.example/"},
	} {
		if got := location(t, test.handler, test.host, test.target, nil); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
		if got := location(t, test.handler, test.host, test.target, new(tls.ConnectionState)); got != "" {
			t.Errorf("%s: over HTTPS redirected to %s", name, got)
		}
	}
}

func TestWWWRedirects(t *testing.T) {
	www, bare := middleware.WWWRedirect(), middleware.NonWWWRedirect()
	for name, test := range map[string]struct {
		handler nextrush.Handler
		host    string
		want    string
	}{
		"to www":                        {www, "a.example:8080", "http://www.a.example:8080/x?q"},
		"is www":                        {www, "WWW.a.example", ""},
		"no www for IPv4":               {www, "192.0.2.1", ""},
		"no www for IPv6":               {www, "[2001:db8::1]", ""},
		"no www for one label":          {www, "localhost:3000", ""},
		"no www for what is not a host": {www, "a.example/@b", ""},
		"from www":                      {bare, "www.a.example", "http://a.example/x?q"},
		"from www, with a port":         {bare, "www.a.example:8080", "http://a.example:8080/x?q"},
		"is bare":                       {bare, "a.example", ""},
		"www in the middle":             {bare, "a.www.example", ""},
		"a name that only begins so":    {bare, "www2.a.example", ""},
		"nothing but a top level below": {bare, "www.example", ""},
		"not a host":                    {bare, "www.a.example@b.example", ""},
	} {
		if got := location(t, test.handler, test.host, "/x?q", nil); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if got := location(t, www, "a.example", "/", new(tls.ConnectionState)); got != "https://www.a.example/" {
		t.Errorf("over HTTPS: %s", got)
	}
}

func TestRedirectsStayOnTheirHost(t *testing.T) {
	for _, path := range []string{
		"//evil.com/", "/%2fevil.com/", `/\evil.com/`, "/%5cevil.com/", "///", "//evil.com/%2f..", "@evil.com/", ".evil.com/", ":80@evil.com/", "",
	} {
		for want, h := range map[string]nextrush.Handler{
			"https://a.example/":    middleware.HTTPSRedirect(),
			"http://www.a.example/": middleware.WWWRedirect(),
		} {
			rest, ok := strings.CutPrefix(location(t, h, "a.example", path, nil), want)
			if !ok || strings.HasPrefix(rest, "/") || strings.ContainsAny(rest, "\\") {
				t.Errorf("%s: %q", path, want+rest)
			}
		}
	}
}

func TestHTTPSRedirectRefusesWhatIsNoHost(t *testing.T) {
	for _, host := range []string{"", "a.example@evil.com", "a.example/x", `a.example\x`, "a.example:x", "a.example\r\nX: y"} {
		w := toHost(host, "", "192.0.2.1:1", middleware.HTTPSRedirect())
		if w.Code != 400 || w.Header().Get("Location") != "" {
			t.Errorf("%q: %d %v", host, w.Code, w.Header())
		}
	}
}

func TestHTTPSRedirectBelievesATrustedProxyOnly(t *testing.T) {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Use(middleware.HTTPSRedirect())
	app.Get("/", func(c *nextrush.Context) error { return c.NoContent() })
	for peer, want := range map[string]int{"10.0.0.1:1": 204, "192.0.2.1:1": 308} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d, want %d", peer, w.Code, want)
		}
	}
}

func ExampleHTTPSRedirect() {
	app := nextrush.New()
	app.Use(middleware.HostFilter("a.example"), middleware.HTTPSRedirect())
	fmt.Println(ask(app, "http://a.example/login?next=/").Header().Get("Location"))
	// Output: https://a.example/login?next=/
}

func ExampleNonWWWRedirect() {
	app := nextrush.New()
	app.Use(middleware.NonWWWRedirect())
	fmt.Println(ask(app, "https://www.a.example/about").Header().Get("Location"))
	// Output: https://a.example/about
}

func ExampleWWWRedirect() {
	app := nextrush.New()
	app.Use(middleware.WWWRedirect())
	fmt.Println(ask(app, "https://a.example/about").Header().Get("Location"))
	// Output: https://www.a.example/about
}
