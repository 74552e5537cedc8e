package middleware_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// toHost sends GET / to a host through middleware, from a proxy that says so
// where forwarded is not empty.
func toHost(host, forwarded, peer string, handlers ...nextrush.Handler) *httptest.ResponseRecorder {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Use(handlers)
	app.Get("/", func(c *nextrush.Context) error { return c.NoContent() })
	r := httptest.NewRequest("GET", "/", nil)
	r.Host, r.RemoteAddr = host, peer
	if forwarded != "" {
		r.Header.Set("X-Forwarded-Host", forwarded)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestHostFilter(t *testing.T) {
	const client, proxy = "192.0.2.1:1", "10.0.0.1:1"
	filter := middleware.HostFilter("Foo.com", "*.bar.com", "127.0.0.1", "[::1]")
	for name, test := range map[string]struct {
		host, forwarded, peer string
		want                  int
	}{
		"listed":                     {"foo.com", "", client, 204},
		"with a port":                {"foo.com:8080", "", client, 204},
		"in upper case":              {"FOO.COM", "", client, 204},
		"with a dot at its end":      {"foo.com.", "", client, 204},
		"another":                    {"evil.example", "", client, 421},
		"listed as a suffix":         {"barfoo.com", "", client, 421},
		"listed as a prefix":         {"foo.com.evil.example", "", client, 421},
		"below a listed one":         {"a.foo.com", "", client, 421},
		"below a wild one":           {"a.b.bar.com", "", client, 204},
		"the wild one itself":        {"bar.com", "", client, 421},
		"nothing below the wild one": {".bar.com", "", client, 400},
		"like the wild one":          {"foobar.com", "", client, 421},
		"a port that is none":        {"foo.com:evil.example", "", client, 400},
		"user name tricks":           {"foo.com@evil.example", "", client, 400},
		"a path":                     {"foo.com/x", "", client, 400},
		"an encoded dot":             {"a%2ebar.com", "", client, 400},
		"IPv4":                       {"127.0.0.1:80", "", client, 204},
		"IPv6":                       {"[::1]:80", "", client, 204},
		"IPv6 without brackets":      {"::1", "", client, 400},
		"IPv6 with a zone":           {"[::1%25lo]", "", client, 400},
		"none":                       {"", "", client, 400},
		"a port alone":               {":80", "", client, 400},
		"forged by the client":       {"evil.example", "foo.com", client, 421},
		"said by a proxy":            {"inside", "foo.com", proxy, 204},
		"a foreign one by a proxy":   {"foo.com", "evil.example", proxy, 421},
	} {
		if w := toHost(test.host, test.forwarded, test.peer, filter); w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}

func TestHostFilterRefusesMistakesAtSetUp(t *testing.T) {
	wantPanic(t, "no hosts", func() { middleware.HostFilter() })
	for _, host := range []string{"", "*", "*.", "https://a.example", "a.example:80", "a.*.example", "*a.example", "a.example/"} {
		wantPanic(t, host, func() { middleware.HostFilter(host) })
	}
}

func ExampleHostFilter() {
	app := nextrush.New()
	app.Use(middleware.HostFilter("a.example", "*.a.example", "localhost"))
	app.Get("/", func(c *nextrush.Context) error { return c.Text("hello") })
	for _, target := range []string{"http://www.a.example/", "http://evil.example/"} {
		fmt.Println(ask(app, target).Code)
	}
	// Output:
	// 200
	// 421
}
