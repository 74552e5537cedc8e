package middleware_test

import (
	"bytes"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// What could never match, or would fail at a client's request, is found at set-up.
func TestMistakesAtSetUpPanicAndNameTheFix(t *testing.T) {
	never := func() bool { return false }
	for want, f := range map[string]func(){
		`Maintenance: AllowPaths: "health": write "/health"`: func() {
			middleware.Maintenance(never, middleware.MaintenanceOptions{AllowPaths: []string{"health"}})
		},
		`Maintenance: "10.0.0.0/99"`: func() {
			middleware.Maintenance(never, middleware.MaintenanceOptions{Allow: []string{"10.0.0.0/99"}})
		},
		`IPFilter: "::ffff:1.2.3.0/120"`: func() { middleware.IPFilter(middleware.IPFilterOptions{Deny: []string{"::ffff:1.2.3.0/120"}}) },
		`HTTPSRedirect: Port`:            func() { middleware.HTTPSRedirect(middleware.HTTPSRedirectOptions{Port: 70000}) },
		`CORS: AllowMethods: "patch": write "PATCH"`: func() {
			middleware.CORS(middleware.CORSOptions{AllowMethods: []string{"GET", "patch"}})
		},
		`Compress: Types: "json"`: func() { middleware.Compress(middleware.CompressOptions{Types: []string{"json"}}) },
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("%s: panic %q", want, got)
				}
			}()
			f()
		}()
	}
}

// Fetch, "CORS non-wildcard request-header name": browsers do not take "*" for it.
func TestCORSWithAllHeadersAllowsAuthorization(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.CORS(middleware.CORSOptions{AllowHeaders: []string{"*"}}))
	app.Get("/", text("x"))
	r := httptest.NewRequest("OPTIONS", "/", nil)
	r.Header.Set("Origin", "https://a.example")
	r.Header.Set("Access-Control-Request-Method", "GET")
	r.Header.Set("Access-Control-Request-Headers", "authorization,x-a")
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if got := w.Header().Get("Access-Control-Allow-Headers"); got != "authorization,x-a" {
		t.Errorf("allowed: %q", got)
	}
}

func TestTypesToCompressMayBeInCapitals(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.Compress(middleware.CompressOptions{Types: []string{"Text/Plain"}}))
	app.Get("/", text(strings.Repeat("x", 5000)))
	if w := ask(app, "/", "Accept-Encoding", "gzip"); w.Header().Get("Content-Encoding") != "gzip" {
		t.Errorf("%v", w.Header())
	}
}

// The client is told nothing; whoever runs the server has to see which address it was.
func TestRefusalsByAddressAndHostAreExplainedInTheLog(t *testing.T) {
	for want, h := range map[string]nextrush.Handler{
		"the address 192.0.2.1 is denied":           middleware.IPFilter(middleware.IPFilterOptions{Deny: []string{"192.0.2.0/24"}}),
		"the address 192.0.2.1 is not in Allow":     middleware.IPFilter(middleware.IPFilterOptions{Allow: []string{"10.0.0.0/8"}}),
		`the host \"example.com\" is none of these`: middleware.HostFilter("a.example"),
	} {
		var log bytes.Buffer
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Use(middleware.Logger(), h)
		app.Get("/", text("x"))
		w := ask(app, "/")
		if !strings.Contains(strings.ReplaceAll(log.String(), `\\`, ``), want) || strings.Contains(w.Body.String(), "192.0.2") {
			t.Errorf("%s: %d %s\n%s", want, w.Code, w.Body, log.String())
		}
	}
}
