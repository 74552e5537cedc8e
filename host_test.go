package nextrush

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/websocket"
)

// at answers a request for a URL, whose host is the Host field.
func at(h http.Handler, method, url string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, url, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestHosts(t *testing.T) {
	app := New(Options{TrustedProxies: []string{"10.0.0.0/8"}})
	app.Use(say("app"))
	app.Use("/guarded", say("guard"))
	show := func(name string) Handler {
		return func(c *Context) error {
			return c.Text(name + " " + c.Param("tenant") + c.Param("rest") + " " + c.Param("id"))
		}
	}
	app.Get("/", show("own"))
	app.Get("/users/:id", show("own"))
	app.Get("/health", show("own"))
	api := app.Host("api.example.com", say("host"))
	api.Get("/users/:id", show("api"))
	v1 := api.Group("/v1", say("v1"))
	v1.Get("/users/:id", show("api v1"))
	v1.Post("/users", show("api v1"))
	api.Get("/guarded/x", show("api"))
	app.Host(":tenant.example.com").Get("/users/:id", show("tenant"))
	app.Host(":tenant.example.com").Get("/", show("tenant"))
	app.Host("*rest.example.com").Get("/", show("deep"))
	for url, want := range map[string]string{
		"http://api.example.com/users/7":         "api  7",
		"http://API.EXAMPLE.COM:8080/users/7":    "api  7",
		"http://api.example.com./users/7":        "api  7",
		"http://api.example.com/v1/users/7":      "api v1  7",
		"http://api.example.com/health":          "own  ",
		"http://api.example.com/":                "own  ", // the host's own routes have none
		"http://acme.example.com/users/7":        "tenant acme 7",
		"http://acme.example.com/":               "tenant acme ",
		"http://acme.example.com/health":         "own  ",
		"http://a.b.example.com/":                "deep a.b ",
		"http://a.b.example.com/users/7":         "own  7",
		"http://example.com/users/7":             "own  7",
		"http://api.example.com.evil.net/":       "own  ",
		"http://127.0.0.1:3000/users/7":          "own  7",
		"http://[::1]:3000/users/7":              "own  7",
		"http://acme.example.com/users/a%2Fb":    "tenant acme a/b",
		"http://xn--bcher-kva.example.com/":      "tenant xn--bcher-kva ",
		"http://api.example.com/guarded/x":       "api  ",
		"http://acme.example.com:80/users/..%2F": "",
	} {
		if got := at(app, "GET", url); got.Body.String() != want && (want != "" || got.Code != 404) {
			t.Errorf("%s: %d %q, want %q", url, got.Code, got.Body, want)
		}
	}
	for request, want := range map[string]string{
		"GET http://api.example.com/v1/users/7":     "app host v1",
		"GET http://api.example.com/guarded/x":      "app guard host",
		"GET http://api.example.com/guarded/none":   "app guard",
		"GET http://api.example.com/health":         "app",
		"OPTIONS http://api.example.com/v1/users":   "app",
		"DELETE http://api.example.com/v1/users/1":  "app",
		"GET http://other.example.com/v1/users/1/2": "app",
	} {
		method, url, _ := strings.Cut(request, " ")
		if got := strings.Join(at(app, method, url).Header()["Ran"], " "); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
	if w := at(app, "POST", "http://api.example.com/v1/users/7"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Error(w.Code, w.Header())
	}
	if w := at(app, "POST", "http://api.example.com/v1/users/"); w.Code != 308 || w.Header().Get("Location") != "/v1/users" {
		t.Error(w.Code, w.Header())
	}
	if w := at(app, "POST", "http://www.example.org/v1/users"); w.Code != 404 {
		t.Error(w.Code)
	}
	if w := at(app, "GET", "http://proxy/users/7", "X-Forwarded-Host", "api.example.com"); w.Body.String() != "own  7" {
		t.Error("a stranger chose the host:", w.Body)
	}
	r := httptest.NewRequest("GET", "http://proxy/users/7", nil)
	r.RemoteAddr = "10.1.2.3:4"
	r.Header.Set("X-Forwarded-Host", "api.example.com")
	w := httptest.NewRecorder()
	if app.ServeHTTP(w, r); w.Body.String() != "api  7" {
		t.Error("the proxy did not choose the host:", w.Body)
	}
	if infos := app.Routes(); infos[3].Host != "api.example.com" || infos[3].Path != "/users/:id" || infos[0].Host != "" {
		t.Errorf("%+v", infos)
	}
}

func TestAnAppOnAHostStartsAndStopsWithTheOther(t *testing.T) {
	var order []string
	other := New()
	other.EnableWebSocket(websocket.Options{})
	other.Use(say("other"))
	other.Get("/", text("other"))
	other.WS("/ws", func(s *websocket.Socket, c *Context) error { return s.Send("on " + c.Hostname()) })
	other.OnStart(func(context.Context) error { order = append(order, "start"); return nil })
	other.OnShutdown(func(context.Context) error { order = append(order, "stop"); return nil })
	app := New()
	app.Host("other.test").Mount("/", other)
	app.Get("/", text("own"))
	ts := apptest.Serve(app)
	defer ts.Close()
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"other.test": "other", "else.test": "own"} {
		if w := at(app, "GET", "http://"+host+"/"); w.Body.String() != want {
			t.Errorf("%s: %s", host, w.Body)
		}
	}
	s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http")+"/ws", &websocket.DialOptions{Header: http.Header{"Host": {"other.test:80"}}})
	if err != nil {
		t.Fatal(err)
	}
	if m, err := s.Receive(t.Context()); err != nil || m.Text() != "on other.test" {
		t.Error(m.Text(), err)
	}
	if err := app.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	var end *websocket.CloseError
	if _, err := s.Receive(t.Context()); !errors.As(err, &end) || end.Code != websocket.StatusGoingAway {
		t.Error(err)
	}
	if got := strings.Join(order, " "); got != "start stop" {
		t.Error(got)
	}
}

func TestHostsThatPanic(t *testing.T) {
	app := New()
	app.Host("a.test").Get("/x", text(""))
	hosted := New()
	hosted.Host("in.test").Get("/y", text(""))
	for want, set := range map[string]func(){
		"without scheme, port and path":          func() { app.Host("https://a.test") },
		"matches the same paths as GET a.test/x": func() { app.Host("A.test").Get("/x", text("")) },
		"is in the host":                         func() { app.Host(":t.test").Get("/:t", text("")) },
		"mount its app outside of Host":          func() { app.Host("b.test").Mount("/", hosted) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("%q, want %q", text, want)
				}
			}()
			set()
		}()
	}
	app.Mount("/m", hosted)
	if w := at(app, "GET", "http://in.test/m/y"); w.Code != 200 {
		t.Error(w.Code)
	}
	if w := at(app, "GET", "http://a.test/m/y"); w.Code != 404 {
		t.Error(w.Code)
	}
}

func TestNotFound(t *testing.T) {
	app := New()
	app.Use(say("app"))
	app.Use("/api/guarded", say("guard"))
	app.Get("/api/users", text("users"))
	app.NotFound(func(c *Context) error { return c.Status(200).HTML("page") })
	api := app.Group("/api", say("api"))
	api.Get("/things/:id", func(*Context) error { return NewError(404, "no such thing") })
	api.NotFound(say("missing"), func(c *Context) error { return c.JSON(c.Param("tenant")) })
	app.Group("/t/:tenant").NotFound(func(c *Context) error { return c.JSON(c.Param("tenant") + c.Route()) })
	sub := New()
	sub.NotFound(text("sub"))
	app.Mount("/sub", sub)
	app.Host("api.test").NotFound(text("host"))
	for request, want := range map[string]string{
		"GET /":                     "200 app page",
		"GET /none/x":               "200 app page",
		"GET /apis":                 "200 app page",
		"POST /none":                "200 app page",
		"GET /api":                  "404 app api missing \"\"\n",
		"GET /api/none":             "404 app api missing \"\"\n",
		"GET /api/guarded/x":        "404 app guard api missing \"\"\n",
		"BREW /api/none":            "404 app api missing \"\"\n",
		"POST /api/users":           "405",
		"NotFound /api/users":       "405",
		"GET /api/users/":           "308",
		"GET /t/acme/x/y":           "404 app \"acme\"\n",
		"GET /t":                    "200 app page",
		"GET /sub":                  "404 app sub",
		"GET /sub/x":                "404 app sub",
		"GET http://api.test/x":     "404 app host",
		"GET http://api.test/api/x": "404 app host",
		"OPTIONS /none":             "200 app page",
	} {
		method, url, _ := strings.Cut(request, " ")
		w := at(app, method, url)
		got := strconv.Itoa(w.Code)
		if w.Code != 405 && w.Code != 308 {
			got = strings.Join(slices.Concat([]string{got}, w.Header()["Ran"], []string{w.Body.String()}), " ")
		}
		if got != want {
			t.Errorf("%s: %q, want %q", request, got, want)
		}
	}
	if w := at(app, "GET", "/api/things/1"); w.Code != 404 || !strings.Contains(w.Body.String(), "no such thing") {
		t.Error(w.Code, w.Body)
	}
	if infos := app.Routes(); len(infos) != 2 {
		t.Errorf("%+v", infos)
	}
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "matches the same paths") {
			t.Error(text)
		}
	}()
	api.NotFound(text(""))
}
