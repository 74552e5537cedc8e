package middleware_test

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// client answers with what a handler of net/http and the Context see of it.
func client() *nextrush.App {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.0/8", "fd00::/8"}})
	app.Use(middleware.RealIP())
	app.Get("/", func(c *nextrush.Context) error {
		return nextrush.WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprint(w, r.RemoteAddr, " ", r.Host, " ", r.TLS != nil, " ", c.IP(), " ", c.Host(), " ", c.Scheme())
		}))(c)
	})
	return app
}

func TestRealIPBelievesTrustedProxiesOnly(t *testing.T) {
	for name, test := range map[string]struct {
		peer   string
		tls    bool
		header []string
		want   string
	}{
		"no proxy":                {"192.0.2.1:80", false, nil, "192.0.2.1:80 example.com false 192.0.2.1 example.com http"},
		"no proxy, forged":        {"192.0.2.1:80", false, []string{"198.51.100.1"}, "192.0.2.1:80 example.com false 192.0.2.1 example.com http"},
		"a proxy":                 {"10.0.0.1:80", false, []string{"198.51.100.1"}, "198.51.100.1:0 a.example true 198.51.100.1 a.example https"},
		"two, the second forged":  {"10.0.0.1:80", false, []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1:0 a.example true 198.51.100.1 a.example https"},
		"two lines":               {"10.0.0.1:80", false, []string{"203.0.113.9", "198.51.100.1, 10.0.0.2"}, "198.51.100.1:0 a.example true 198.51.100.1 a.example https"},
		"IPv6 with zone and port": {"10.0.0.1:80", false, []string{"[2001:db8::1%25eth0]:99", "2001:db8::2"}, "[2001:db8::2]:0 a.example true 2001:db8::2 a.example https"},
		"a proxy over IPv6":       {"[fd00::1]:80", true, []string{"198.51.100.1"}, "198.51.100.1:0 a.example true 198.51.100.1 a.example https"},
		"a client among proxies":  {"10.0.0.1:80", false, []string{"10.0.0.7"}, "10.0.0.7:0 a.example true 10.0.0.7 a.example https"},
		"no address":              {"10.0.0.1:80", false, []string{"unknown"}, "10.0.0.1:80 example.com false 10.0.0.1 a.example https"},
		"no header":               {"10.0.0.1:80", false, nil, "10.0.0.1:80 example.com false 10.0.0.1 a.example https"},
		"a unix socket":           {"@", false, []string{"198.51.100.1"}, "@ example.com false @ example.com http"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = test.peer
		if test.tls {
			r.TLS = new(tls.ConnectionState)
		}
		r.Header["X-Forwarded-For"] = test.header
		r.Header.Set("X-Forwarded-Host", "a.example")
		r.Header.Set("X-Forwarded-Proto", "https")
		w := httptest.NewRecorder()
		client().ServeHTTP(w, r)
		if w.Body.String() != test.want {
			t.Errorf("%s: %s, want %s", name, w.Body, test.want)
		}
	}
}

func TestRealIPTakesTLSAwayWhereTheClientHadNone(t *testing.T) {
	r := httptest.NewRequest("GET", "https://example.com/", nil)
	r.RemoteAddr = "10.0.0.1:80"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	r.Header.Set("X-Forwarded-Proto", "http")
	w := httptest.NewRecorder()
	client().ServeHTTP(w, r)
	if want := "198.51.100.1:0 example.com false 198.51.100.1 example.com http"; w.Body.String() != want || r.TLS == nil {
		t.Errorf("%s, want %s", w.Body, want)
	}
}

func ExampleRealIP() {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Get("/", middleware.RealIP(), nextrush.WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr)
	})))
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:4711"
	r.Header.Set("X-Forwarded-For", "198.51.100.1")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	fmt.Println(w.Body)
	// Output: 198.51.100.1:0
}
