package middleware_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func TestMaintenanceLetsInWhoIsAllowed(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.Maintenance(func() bool { return true }, middleware.MaintenanceOptions{
		Allow: []string{"192.0.2.1", "2001:db8::/32"}, AllowPaths: []string{"/health", "/health/live"},
	}))
	app.Get("/*path", func(c *nextrush.Context) error { return c.NoContent() })
	for name, test := range map[string]struct {
		peer, target, forwarded string
		want                    int
	}{
		"anybody":                      {"192.0.2.2:1", "/", "", 503},
		"an address":                   {"192.0.2.1:1", "/", "", 204},
		"an address in IPv6":           {"[::ffff:192.0.2.1]:1", "/", "", 204},
		"a block":                      {"[2001:db8::7]:1", "/", "", 204},
		"an address that is claimed":   {"192.0.2.2:1", "/", "192.0.2.1", 503},
		"no address":                   {"@", "/", "", 503},
		"a path":                       {"192.0.2.2:1", "/health", "", 204},
		"a path, encoded":              {"192.0.2.2:1", "/%68ealth", "", 204},
		"a path of two segments":       {"192.0.2.2:1", "/health/live", "", 204},
		"one segment that looks so":    {"192.0.2.2:1", "/health%2Flive", "", 503},
		"below a path":                 {"192.0.2.2:1", "/health/x", "", 503},
		"a path that leads to another": {"192.0.2.2:1", "/health/../users", "", 503},
		"without a route":              {"192.0.2.2:1", "/nowhere", "", 503},
	} {
		r := httptest.NewRequest("GET", test.target, nil)
		r.RemoteAddr = test.peer
		r.Header.Set("X-Forwarded-For", test.forwarded)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d, want %d", name, w.Code, test.want)
		}
	}
}

func TestMaintenanceSaysWhenToComeBack(t *testing.T) {
	for _, test := range []struct {
		o           middleware.MaintenanceOptions
		after, says string
	}{
		{middleware.MaintenanceOptions{}, "300", "down for maintenance"},
		{middleware.MaintenanceOptions{RetryAfter: 1500 * time.Millisecond, Message: "back at noon"}, "2", "back at noon"},
	} {
		w := send("GET", "/", nil, middleware.Maintenance(func() bool { return true }, test.o))
		if w.Header().Get("Retry-After") != test.after || !strings.Contains(w.Body.String(), test.says) {
			t.Errorf("%+v: %v %s", test.o, w.Header(), w.Body)
		}
	}
}

func TestMaintenanceRefusesUpgradesAndKeepsSockets(t *testing.T) {
	var down atomic.Bool
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(middleware.Maintenance(down.Load))
	app.WS("/", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	c := nextrushtest.New(t, app)
	s := c.Dial("/")
	down.Store(true)
	if refusal := c.DialError("/"); refusal.Status != 503 || refusal.Header.Get("Retry-After") != "300" {
		t.Errorf("%+v", refusal)
	}
	if err := s.Send("still here"); err != nil {
		t.Fatal(err)
	}
	s.Expect("still here")
}

func TestMaintenanceRefusesMistakesAtSetUp(t *testing.T) {
	on := func() bool { return true }
	wantPanic(t, "no switch", func() { middleware.Maintenance(nil) })
	wantPanic(t, "no address", func() { middleware.Maintenance(on, middleware.MaintenanceOptions{Allow: []string{"office"}}) })
	wantPanic(t, "a negative wait", func() { middleware.Maintenance(on, middleware.MaintenanceOptions{RetryAfter: -1}) })
}

func ExampleMaintenance() {
	var down atomic.Bool
	app := nextrush.New()
	app.Use(middleware.Maintenance(down.Load, middleware.MaintenanceOptions{AllowPaths: []string{"/health"}}))
	app.Get("/", func(c *nextrush.Context) error { return c.Text("hello") })
	fmt.Println(ask(app, "/").Code)
	down.Store(true)
	fmt.Println(ask(app, "/").Code)
	// Output:
	// 200
	// 503
}
