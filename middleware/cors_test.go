package middleware_test

import (
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// send gives a request to an App with one route, GET /, behind the handlers.
func send(method, target string, header http.Header, handlers ...nextrush.Handler) *httptest.ResponseRecorder {
	app := nextrush.New()
	app.Use(handlers)
	app.Get("/", func(c *nextrush.Context) error { return c.Text(c.ID()) })
	r := httptest.NewRequest(method, target, nil)
	maps.Copy(r.Header, header)
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestCORSMatchesOriginsWhole(t *testing.T) {
	for _, test := range []struct {
		allow, origin string
		want          bool
	}{
		{"https://foo.com", "https://foo.com", true},
		{"https://foo.com:443", "https://foo.com", true},
		{"https://Foo.com", "https://foo.com", true},
		{"https://*.foo.com:443", "https://a.foo.com", true},
		{"http://[0::1]", "http://[::1]", true},
		{"https://foo.com", "https://foo.com.", false},
		{"https://foo.com", "https://barfoo.com", false},
		{"https://foo.com", "https://foo.com.evil.example", false},
		{"https://foo.com", "http://foo.com", false},
		{"https://foo.com", "https://foo.com:8443", false},
		{"https://foo.com", "null", false},
		{"null", "null", true},
		{"https://*.foo.com", "https://a.foo.com", true},
		{"https://*.foo.com", "https://foo.com", false},
		{"https://*.foo.com", "https://barfoo.com", false},
		{"https://*.foo.com", "https://evil.example/.foo.com", false},
	} {
		w := send("GET", "/", http.Header{"Origin": {test.origin}},
			middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{test.allow}, Credentials: test.allow != "null"}))
		got := w.Header().Get("Access-Control-Allow-Origin")
		if test.want && got != test.origin || !test.want && got != "" {
			t.Errorf("%s for %s: allowed %q", test.origin, test.allow, got)
		}
		if w.Header().Get("Vary") != "Origin" {
			t.Errorf("%s: Vary %q", test.origin, w.Header().Get("Vary"))
		}
	}
}

func TestCORSRefusesMistakesAtSetUp(t *testing.T) {
	for _, o := range []middleware.CORSOptions{
		{AllowOrigins: []string{"*"}, Credentials: true},
		{AllowOrigins: []string{"null"}, Credentials: true},
		{AllowOrigins: []string{"foo.com"}},
		{AllowOrigins: []string{"https://foo.com/"}},
		{AllowOrigins: []string{"https://*foo.com"}},
		{AllowOrigins: []string{"https://bücher.example"}},
		{AllowOrigins: []string{"https://a.example"}, Credentials: true, AllowHeaders: []string{"*"}},
		{AllowOrigins: []string{"https://a.example"}, Credentials: true, AllowHeaders: []string{"X-A", "*"}},
		{AllowOrigins: []string{"https://a.example"}, Credentials: true, AllowMethods: []string{"*"}},
		{AllowOrigins: []string{"https://a.example"}, Credentials: true, ExposeHeaders: []string{"*"}},
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", o)
				}
			}()
			middleware.CORS(o)
		}()
	}
}

func TestCORSAnswersPreflightsAndMarksErrors(t *testing.T) {
	w := send("OPTIONS", "/nowhere", http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}}, middleware.CORS())
	if w.Code != 204 || w.Header().Get("Access-Control-Allow-Methods") == "" {
		t.Errorf("preflight: %d %v", w.Code, w.Header())
	}
	for target, method := range map[string]string{"/nowhere": "GET", "/": "DELETE"} {
		w := send(method, target, http.Header{"Origin": {"https://a.example"}}, middleware.CORS())
		if w.Code < 404 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s %s: %d %v", method, target, w.Code, w.Header())
		}
	}
}

func TestCORSEchoesAllLinesOfHeaders(t *testing.T) {
	ask := http.Header{"Origin": {"https://a.example"}, "Access-Control-Request-Method": {"PUT"}, "Access-Control-Request-Headers": {"x-a", "x-b, x-c"}}
	w := send("OPTIONS", "/", ask, middleware.CORS())
	if got := w.Header().Get("Access-Control-Allow-Headers"); got != "x-a, x-b, x-c" {
		t.Errorf("allowed %q", got)
	}
}

// A preflight has no route of its own: it is for the App whose route it asks about.
func TestCORSOfAMountedAppAnswersPreflights(t *testing.T) {
	ok := func(c *nextrush.Context) error { return c.Text("ok") }
	api := nextrush.New()
	api.Use(middleware.CORS(middleware.CORSOptions{AllowOrigins: []string{"https://a.example"}, Credentials: true}))
	api.Put("/users/:id", ok)
	inner := nextrush.New()
	inner.Get("/deep", ok)
	api.Mount("/inner", inner)
	refuse := func(*nextrush.Context) error { return nextrush.NewError(401) }
	app := nextrush.New()
	app.Get("/plain", ok)
	app.Get("/both/users/:id", ok)
	app.Group("/api", refuse).Mount("", api)
	app.Mount("/both", api)
	for _, tt := range []struct {
		path, method string
		want         string // Access-Control-Allow-Origin
	}{
		{"/api/users/1", "PUT", "https://a.example"},
		{"/api/users/a%2Fb", "PUT", "https://a.example"},
		{"/api/users/1", "DELETE", "https://a.example"},
		{"/api/inner/deep", "GET", "https://a.example"},
		{"/both/users/1", "PUT", "https://a.example"},
		{"/both/users/1", "GET", ""},
		{"/plain", "GET", ""},
	} {
		r := httptest.NewRequest("OPTIONS", tt.path, nil)
		r.Header.Set("Origin", "https://a.example")
		r.Header.Set("Access-Control-Request-Method", tt.method)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if got := w.Header().Get("Access-Control-Allow-Origin"); w.Code != 204 || got != tt.want {
			t.Errorf("%s for %s: %d, Allow-Origin %q, want %q", tt.path, tt.method, w.Code, got, tt.want)
		}
	}
	r := httptest.NewRequest("DELETE", "/both/users/1", nil)
	r.Header.Set("Origin", "https://a.example")
	w := httptest.NewRecorder()
	if app.ServeHTTP(w, r); w.Code != 405 {
		t.Errorf("a 405 is %d", w.Code)
	}
}
