package nextrush

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// ask answers a request for a path as it is on the wire.
func ask(t *testing.T, h http.Handler, method, raw string) (status int, body string) {
	t.Helper()
	r := httptest.NewRequest(method, "/", nil)
	u, err := r.URL.Parse(raw)
	if strings.HasPrefix(raw, "//") {
		u, err = r.URL.Parse("/." + raw)
		u.Path, u.RawPath = strings.TrimPrefix(u.Path, "/."), strings.TrimPrefix(u.RawPath, "/.")
	}
	if err != nil {
		t.Fatal(err)
	}
	r.URL, r.RequestURI = u, raw
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	b, _ := io.ReadAll(w.Result().Body)
	return w.Code, string(b)
}

func deny(*Context) error { return NewError(http.StatusForbidden) }

// say adds to the header what the response must have.
func say(what string) Handler {
	return func(c *Context) error {
		c.Append("Ran", what)
		return c.Next()
	}
}

func ran(h http.Handler, method, path string) string {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return strings.Join(w.Header()["Ran"], " ")
}

func TestUseWithAPath(t *testing.T) {
	app := New()
	app.Get("/early", text(""))
	app.Use(say("1"))
	app.Use("/api", say("2"), say("3"))
	app.Use(say("4"))
	app.Use("/api/users/", say("5"))
	app.Get("/api/users/:id", text(""))
	app.Post("/api/users", text(""))
	app.Get("/apis", text(""))
	app.Get("/:a/:b/:c/:d", text(""))
	app.Get("/files/*path", text(""))
	app.Mount("/api/std", http.NotFoundHandler())
	sub := New()
	sub.Use("/in", say("7"))
	sub.Use(say("6"))
	sub.Get("/in/x", text(""))
	sub.Get("/out", text(""))
	app.Mount("/api/sub", sub)
	g := app.Group("/g", say("g"))
	g.Use("/deep", say("8"))
	g.Get("/deep/x", text(""))
	g.Get("/deeper", text(""))

	for request, want := range map[string]string{
		"GET /early":           "1 4",
		"GET /none":            "1 4",
		"GET /apis":            "1 4",
		"GET /files/x":         "1 4",
		"GET /files/../api/x":  "1 2 3 4",
		"GET /api":             "1 2 3 4",
		"GET /api/":            "1 2 3 4",
		"GET /api/none":        "1 2 3 4",
		"GET /api/users/1":     "1 2 3 4 5",
		"HEAD /api/users/1":    "1 2 3 4 5",
		"GET /api/users":       "1 2 3 4 5", // 405
		"OPTIONS /api/users":   "1 2 3 4 5",
		"GET /api/users/1/":    "1 2 3 4 5", // a redirect
		"GET /api/users/1/2":   "1 2 3 4 5",
		"GET /api/x/y/z":       "1 2 3 4",
		"GET /x/x/y/z":         "1 4",
		"PUT /api/std/x":       "1 2 3 4",
		"GET /api/sub/in/x":    "1 2 3 4 7 6",
		"GET /api/sub/out":     "1 2 3 4 6",
		"POST /api/sub/in/x":   "1 2 3 4 7 6", // 405
		"GET /in/x":            "1 4",
		"GET /g/deep/x":        "1 4 g 8",
		"GET /g/deeper":        "1 4 g",
		"GET /deep/x":          "1 4",
		"POST /files/api/../x": "1 4",
	} {
		method, path, _ := strings.Cut(request, " ")
		if got := ran(app, method, path); got != want {
			t.Errorf("%s: %s, want %s", request, got, want)
		}
	}
}

// What guards a prefix is passed by no way of writing a path.
func TestNothingGetsAroundAPrefix(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "private"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "private", "key"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := New(Options{DisableTrailingSlashRedirect: true}).EnableWebSocket(websocket.Options{})
	app.Use("/private", deny)
	app.Get("/private/key", text("secret"))
	app.Get("/private/:name", text("secret"))
	app.WS("/private/ws", func(*websocket.Socket, *Context) error { return nil })
	app.Get("/:dir/:name", text("secret"))
	app.Get("/:one", text("secret"))
	files := http.FileServer(http.Dir(dir))
	app.Get("/*path", func(c *Context) error { // one that reads paths in every way
		c.Request().URL.Path = filepath.ToSlash(filepath.Clean("/" + strings.ReplaceAll(strings.ToLower(c.Param("path")), `\`, "/")))
		return WrapHandler(files)(c)
	})
	app.Mount("/mnt", files)
	for _, raw := range []string{
		"/private", "/private/", "/private/key", "/private/other", "/private/ws", "/private/a/b/c",
		"/PRIVATE/key", "/Private/x/..", "/%70rivate/key", "/%50RIVATE/key", "//private/key", "///private/key", "/./private/key",
		"/x/../private/key", "/x/..//private/key", "/%2e/private/key", "/x/%2e%2e/private/key", "/private//key",
		"/private%2Fkey", "/private%2fkey", "/%2Fprivate/key", "/x%2F..%2Fprivate%2Fkey", "/x/..%2Fprivate/key", "/private%5Ckey",
		"/%5Cprivate%5Ckey", "/x/..%5Cprivate/key", "/private;a=b/key", "/;a/private/key", "/x/..;/private/key", "/private%3Ba/key",
		"/private/../private/key", "/a/b/c/../../../private/key", "/mnt/../private/key",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "OPTIONS", "PROPFIND", "DELETE"} {
			if status, body := ask(t, app, method, raw); status != http.StatusForbidden || strings.Contains(body, "secret") {
				t.Errorf("%s %s: %d %s", method, raw, status, body)
			}
		}
	}
	for _, raw := range []string{"/privates", "/x/private", "/xprivate"} {
		if status, _ := ask(t, app, "GET", raw); status == http.StatusForbidden {
			t.Errorf("%s is guarded", raw)
		}
	}
}

// Middleware that ran before must not change for which paths the next one is.
func TestAPrefixIsThatOfThePathWhichTheRouteWasFoundFor(t *testing.T) {
	app := New()
	app.Use(func(c *Context) error {
		r := c.Request().Clone(c.Context())
		r.URL.Path = "/public"
		c.SetRequest(r)
		return c.Next()
	})
	app.Use("/api", deny)
	app.Get("/api/:id", text("secret"))
	app.Get("/*path", text("secret"))
	for _, path := range []string{"/api/1", "/api/1/2"} {
		if status, body := ask(t, app, "GET", path); status != http.StatusForbidden {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestParametersOfAPrefix(t *testing.T) {
	app := New()
	see := func(c *Context) error {
		before := c.Param("id") + "," + c.Param("tenant")
		err := c.Next()
		if after := c.Param("id") + "," + c.Param("tenant"); after != before {
			t.Errorf("%s: %s before, %s after", c.Path(), before, after)
		}
		return err
	}
	app.Use("/t/:id", see, func(c *Context) error { c.Append("Ran", c.Param("id")); return c.Next() })
	app.Use("/t/:tenant/:id", see, func(c *Context) error { c.Append("Ran", c.Param("tenant")+":"+c.Param("id")); return c.Next() })
	show := func(c *Context) error { return c.Append("Ran", "route:"+c.Param("id")+":"+c.Param("tenant")).Text("") }
	app.Get("/t/:tenant/users/:id", show)
	app.Get("/t/:tenant", show)
	app.Get("/x/:id", show)
	for path, want := range map[string]string{
		"/t/acme/users/7": "acme acme:users route:7:acme",
		"/t/acme":         "acme route::acme",
		"/t/a%20b/none/7": "a b a b:none",
		"/T/acme":         "acme", // no route
		"/x/1":            "route:1:",
	} {
		if got := ran(app, "GET", path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestUseSaysWhatIsWrong(t *testing.T) {
	app := New()
	for want, use := range map[string]func(){
		`Use "/api" has no handler`:            func() { app.Use("/api") },
		`"api" must begin with a slash`:        func() { app.Use("api", deny) },
		`leave /*path out`:                     func() { app.Use("/api/*path", deny) },
		`"*" must begin with a slash`:          func() { app.Use("*", deny) },
		`not a <nil>: give a function`:         func() { app.Use(nil) },
		`a handler is nil: give a function`:    func() { app.Use(deny, nil) },
		`Use: a handler is nil`:                func() { app.Use(Handler(nil)) },
		`put WrapMiddleware around it`:         func() { app.Use(func(h http.Handler) http.Handler { return h }) },
		`Mount serves it under a path`:         func() { app.Use(New()) },
		`give WrapHandler(http.HandlerFunc(f)`: func() { app.Use(func(http.ResponseWriter, *http.Request) {}) },
		`a Handler, not a int: give a func(c`:  func() { app.Use(1) },
	} {
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.Contains(text, want) {
					t.Errorf("%q, want %q", text, want)
				}
			}()
			use()
		}()
	}
}

func TestAGroupThatGuardsNothingDoesNotStart(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*App)
		want string // ""; it starts
	}{
		"a group alone":        {func(a *App) { a.Group("/api", deny) }, `the group "/api" at `},
		"Use on a group":       {func(a *App) { a.Group("/api").Use(deny) }, `the group "/api" at `},
		"With alone":           {func(a *App) { a.With(deny) }, `the group "" at `},
		"a group in a group":   {func(a *App) { a.Group("/a", deny).Group("/b") }, `the group "/a" at `},
		"one of a mounted app": {func(a *App) { s := New(); s.Group("/in", deny); a.Mount("/m", s) }, `the group "/in" at `},
		"without middleware":   {func(a *App) { a.Group("/api") }, ""},
		"a route":              {func(a *App) { a.Group("/api", deny).Get("/", text("")) }, ""},
		"a route further down": {func(a *App) { a.Group("/api", deny).Group("/v1").Get("/", text("")) }, ""},
		"a route of a start": {func(a *App) {
			g := a.Group("/api", deny)
			a.OnStart(func(context.Context) error { g.Get("/", text("")); return nil })
		}, ""},
		"a mounted app":          {func(a *App) { a.Group("/api", deny).Mount("/", New()) }, ""},
		"a mounted http.Handler": {func(a *App) { a.Group("/api", deny).Mount("/", http.NotFoundHandler()) }, ""},
	} {
		app := New()
		stopped := false
		app.OnShutdown(func(context.Context) error { stopped = true; return nil })
		tt.set(app)
		err := app.Start(t.Context())
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !strings.Contains(err.Error(), "use_test.go:") {
			t.Errorf("%s: %v does not say where", name, err)
		}
		if stopped {
			t.Errorf("%s: it was shut down", name)
		}
	}
}
