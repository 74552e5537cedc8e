package middleware_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func allowing(site string) nextrush.Handler {
	return middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{"https://" + site + ".example"}, Credentials: true})
}

// A preflight has no route: it is for the groups of the route that it asks about.
func TestCORSOfGroupsAnswersPreflights(t *testing.T) {
	refuse := func(*nextrush.Context) error { return nextrush.NewError(http.StatusUnauthorized) }
	app := nextrush.New()
	app.Use("/used", allowing("a"))
	app.Put("/used/x", text("ok"))
	app.Host("api.test", allowing("a")).Put("/x", text("ok"))
	group := app.Group("/group", allowing("a"))
	group.Put("/x", text("ok"))
	group.Group("/guarded", refuse).Put("/x", text("ok"))
	app.Group("/group").Delete("/x", text("ok"))
	app.With(allowing("b")).Post("/group/x", text("ok"))
	later := app.Group("/later", refuse)
	later.Use(allowing("a"))
	later.Put("/x", text("ok"))
	sub := app.Group("/prefix")
	sub.Use("/in", allowing("a"))
	sub.Put("/in/x", text("ok"))
	sub.Put("/out/x", text("ok"))
	inner := nextrush.New()
	inner.Group("/deep", allowing("a")).Put("/:id", text("ok"))
	app.Mount("/mounted", inner)
	app.Get("/plain", text("ok"))
	for _, test := range []struct {
		method, target string
		want           int
		allowed        string
	}{
		{"PUT", "/used/x", 204, "a"},
		{"PUT", "http://api.test/x", 204, "a"},
		{"PUT", "http://other.test/x", 404, ""},
		{"PUT", "/group/x", 204, "a"},
		{"DELETE", "/group/x", 204, ""},
		{"POST", "/group/x", 204, "b"},
		{"PUT", "/group/guarded/x", 204, "a"},
		{"PUT", "/later/x", 401, ""},
		{"PUT", "/prefix/in/x", 204, "a"},
		{"PUT", "/prefix/out/x", 204, ""},
		{"PUT", "/mounted/deep/1", 204, "a"},
		{"GET", "/plain", 204, ""},
		{"PUT", "/group/none", 404, ""},
	} {
		from := "https://" + test.allowed + ".example"
		if test.allowed == "" {
			from = "https://a.example"
		}
		w := call(app, "OPTIONS", test.target, "Origin", from, "Access-Control-Request-Method", test.method)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != test.want || (got == from) != (test.allowed != "") {
			t.Errorf("%s %s: %d, allowed %q", test.method, test.target, w.Code, got)
		}
	}
	if w := call(app, "OPTIONS", "/later/x"); w.Code != 204 || w.Header().Get("Allow") != "OPTIONS, PUT" {
		t.Errorf("no preflight: %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
}

// With Credentials, no list and nobody who is trusted, it lets nobody in.
func TestCORSThatAllowsNobodySaysSoOnce(t *testing.T) {
	trusting := nextrush.Options{TrustedOrigins: []string{"https://a.example"}}
	for name, test := range map[string]struct {
		app   nextrush.Options
		cors  middleware.CORSOptions
		from  string
		lines int
	}{
		"nobody":        {nextrush.Options{}, middleware.CORSOptions{Credentials: true}, "https://a.example", 1},
		"another":       {trusting, middleware.CORSOptions{Credentials: true}, "https://b.example", 1},
		"the trusted":   {trusting, middleware.CORSOptions{Credentials: true}, "https://a.example", 0},
		"listed":        {nextrush.Options{}, middleware.CORSOptions{Credentials: true, AllowOrigins: []string{"https://a.example"}}, "https://b.example", 0},
		"all":           {nextrush.Options{}, middleware.CORSOptions{}, "https://a.example", 0},
		"own":           {nextrush.Options{}, middleware.CORSOptions{Credentials: true}, "http://example.com", 0},
		"own, over TLS": {nextrush.Options{}, middleware.CORSOptions{Credentials: true}, "https://example.com", 0},
		"null":          {nextrush.Options{}, middleware.CORSOptions{Credentials: true}, "null", 0},
		"none":          {nextrush.Options{}, middleware.CORSOptions{Credentials: true}, "", 0},
	} {
		var log bytes.Buffer
		test.app.Logger = slog.New(slog.NewTextHandler(&log, nil))
		app := nextrush.New(test.app)
		app.Use(middleware.CORS(test.cors))
		app.Get("/", text("ok"))
		for range 3 {
			call(app, "GET", "/", "Origin", test.from)
		}
		got := log.String()
		if strings.Count(got, "\n") != test.lines || test.lines > 0 && !(strings.Contains(got, test.from) && strings.Contains(got, "AllowOrigins") && strings.Contains(got, "TrustedOrigins")) {
			t.Errorf("%s: logged %s", name, got)
		}
	}
}
