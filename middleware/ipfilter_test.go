package middleware_test

import (
	"fmt"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// from sends GET / with a peer's address and an X-Forwarded-For.
func from(peer, forwardedFor string, o middleware.IPFilterOptions) int {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}})
	app.Use(middleware.IPFilter(o))
	app.Get("/", func(c *nextrush.Context) error { return c.NoContent() })
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = peer
	r.Header.Set("X-Forwarded-For", forwardedFor)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w.Code
}

func TestIPFilter(t *testing.T) {
	office := []string{"192.0.2.0/24", "2001:db8::/32", "fe80::/10"}
	for name, test := range map[string]struct {
		peer, forwardedFor string
		allow, deny        []string
		want               int
	}{
		"allowed":                   {"192.0.2.7:1", "", office, nil, 204},
		"not allowed":               {"192.0.3.7:1", "", office, nil, 403},
		"allowed, IPv6":             {"[2001:db8::7]:1", "", office, nil, 204},
		"an IPv6 zone":              {"[fe80::7%eth0]:1", "", office, nil, 204},
		"IPv4 in IPv6":              {"[::ffff:192.0.2.7]:1", "", office, nil, 204},
		"denied":                    {"192.0.2.7:1", "", nil, office, 403},
		"denied, IPv4 in IPv6":      {"[::ffff:192.0.2.7]:1", "", nil, office, 403},
		"denied, with a zone":       {"[fe80::7%eth0]:1", "", nil, office, 403},
		"not denied":                {"192.0.3.7:1", "", nil, office, 204},
		"denied goes first":         {"192.0.2.7:1", "", office, []string{"192.0.2.7"}, 403},
		"allowed, not that":         {"192.0.2.8:1", "", office, []string{"192.0.2.7"}, 204},
		"a block by a host in it":   {"192.0.2.9:1", "", []string{"192.0.2.77/24"}, nil, 204},
		"forged by the client":      {"192.0.3.7:1", "192.0.2.7", office, nil, 403},
		"said by a proxy":           {"10.0.0.1:1", "192.0.2.7", office, nil, 204},
		"forged before a proxy":     {"10.0.0.1:1", "192.0.2.7, 192.0.3.7", office, nil, 403},
		"no address, as for a pipe": {"@", "", nil, office, 403},
	} {
		got := from(test.peer, test.forwardedFor, middleware.IPFilterOptions{Allow: test.allow, Deny: test.deny})
		if got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}

func TestIPFilterRefusesMistakesAtSetUp(t *testing.T) {
	wantPanic(t, "no lists", func() { middleware.IPFilter(middleware.IPFilterOptions{}) })
	for _, s := range []string{"", "localhost", "10.0.0.0/33", "10.0.0", "192.0.2.1:80", "::ffff:10.0.0.0/104", "fe80::1%eth0"} {
		wantPanic(t, s, func() { middleware.IPFilter(middleware.IPFilterOptions{Deny: []string{s}}) })
	}
}

func ExampleIPFilter() {
	app := nextrush.New()
	admin := app.Group("/admin", middleware.IPFilter(middleware.IPFilterOptions{
		Allow: []string{"127.0.0.1", "::1", "10.0.0.0/8"},
	}))
	admin.Get("/", func(c *nextrush.Context) error { return c.Text("hello") })
	fmt.Println(ask(app, "/admin").Code)
	// Output: 403
}
