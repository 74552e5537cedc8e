package nextrush

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// tellNamespace tells a socket its namespace's name when it is in the lobby.
func tellNamespace(s *websocket.Socket, c *Context) error {
	if err := s.Join("lobby"); err != nil {
		return err
	}
	return s.Send(s.Namespace().Name())
}

func TestNamespaceIsNamedByThePathOfTheRequest(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/chat", tellNamespace)
	app.Group("/plain").WS("/:room", tellNamespace)
	app.Namespace("/admin").WS("/", tellNamespace)
	tenant := app.Namespace("/t/:tenant")
	tenant.WS("/chat", tellNamespace)
	tenant.Group("/rooms").WS("/:room", tellNamespace)
	tenant.With().Namespace("/game/:game").WS("/play", tellNamespace)
	app.Namespace("/t/:tenant/:team").WS("/deep/chat", tellNamespace)
	app.Group("/v:major").Namespace("/x").WS("/chat", tellNamespace)
	srv := served(t, app)
	for path, want := range map[string]string{
		"/chat":                   "",
		"/plain/a":                "",
		"/admin":                  "/admin",
		"/t/acme/chat":            "/t/acme",
		"/t/acme/rooms/1":         "/t/acme",
		"/t/acme/game/go/play":    "/t/acme/game/go",
		"/v2/x/chat":              "/v2/x",
		"/t/%61cme/chat":          "/t/acme", // the same tenant, however the client writes it
		"/t/Acme/chat":            "/t/Acme", // none of these is another's
		"/t/acme%20/chat":         "/t/acme ",
		"/t/%C3%A4/chat":          "/t/ä",
		"/t/acme%2Fred/chat":      "/t/acme%2Fred",
		"/t/acme%2fred/chat":      "/t/acme%2Fred",
		"/t/acme/red/deep/chat":   "/t/acme/red",
		"/t/acme%252Fred/chat":    "/t/acme%252Fred",
		"/t/acme%25/chat":         "/t/acme%25",
		"/t/acme%2Fgame%2Fx/chat": "/t/acme%2Fgame%2Fx",
		"/t/acme%00/chat":         "/t/acme\x00",
		"/t/acme%00%01red/chat":   "/t/acme\x00\x01red",
	} {
		s, err := dial(t, srv.URL, path)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if got := receive(t, s); got != want {
			t.Errorf("%s is in %q, want %q", path, got, want)
		}
	}
}

// A tenant that has a host of its own has namespaces of its own there.
func TestNamespaceOfEachHost(t *testing.T) {
	app, sub := New(), New()
	app.EnableWebSocket(websocket.Options{AllowOrigins: []string{"*"}})
	sub.EnableWebSocket(websocket.Options{})
	app.Namespace("/chat").WS("/", tellNamespace)
	tenant := app.Host(":tenant.test")
	tenant.WS("/plain", tellNamespace)
	tenant.Namespace("/chat").WS("/", tellNamespace)
	tenant.Namespace("/r/:room").WS("/x", tellNamespace)
	tenant.Namespace("/").WS("/own", tellNamespace)
	sub.Namespace("/in").WS("/chat", tellNamespace)
	app.Host("*.deep.test").Mount("/sub", sub)
	srv := served(t, app)
	for _, c := range []struct{ host, path, want string }{
		{"elsewhere", "/chat", "/chat"},
		{"acme.test", "/plain", ""},
		{"acme.test", "/chat", "acme.test/chat"},
		{"beta.test", "/chat", "beta.test/chat"},
		{"ACME.test.:3000", "/chat", "acme.test/chat"},
		{"acme.test", "/r/te%2Fa/x", "acme.test/r/te%2Fa"},
		{"acme.test", "/own", "acme.test"},
		{"a.b.deep.test", "/sub/in/chat", "a.b.deep.test/sub/in"},
	} {
		s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+c.path,
			&websocket.DialOptions{Header: http.Header{"Host": {c.host}}})
		if err != nil {
			t.Errorf("%s%s: %v", c.host, c.path, err)
			continue
		}
		if got := receive(t, s); got != c.want {
			t.Errorf("%s%s is in %q, want %q", c.host, c.path, got, c.want)
		}
		s.Close(websocket.StatusNormalClosure, "")
	}
}

// A group whose middleware for sockets guards nothing is a mistake, as any other is.
func TestGroupWSUseWithoutRoutesIsRefusedAtTheStart(t *testing.T) {
	app := New()
	app.Group("/admin").WSUse(func(_ *websocket.Socket, _ *Context, next func() error) error { return next() })
	if err := app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "guards nothing") {
		t.Errorf("the start gives %v", err)
	}
}

// Two tenants that join a room of one name do not hear each other, and each namespace is
// reached from outside by its name or from a request of its own.
func TestNamespaceOfEachTenant(t *testing.T) {
	app := New()
	app.EnableWebSocket(websocket.Options{})
	guard := func(c *Context) error {
		if c.Query("key") != c.Param("tenant") {
			return NewError(http.StatusForbidden)
		}
		return c.Next()
	}
	tenant := app.Namespace("/t/:tenant", guard)
	tenant.WS("/chat", func(s *websocket.Socket, c *Context) error {
		s.OnMessage(func(m websocket.Message) { s.To("lobby").Send(m) })
		return tellNamespace(s, c)
	})
	tenant.Post("/announce", func(c *Context) error { return NamespaceOf(c).To("lobby").Send("announced") })
	app.WS("/open/:room", func(s *websocket.Socket, c *Context) error { return s.Join(c.Param("room")) })
	srv := served(t, app)

	if _, err := dial(t, srv.URL, "/t/acme/chat?key=evil"); err == nil {
		t.Error("a stranger got in")
	}
	join := func(tenant string) *websocket.Socket {
		s, err := dial(t, srv.URL, "/t/"+tenant+"/chat?key="+tenant)
		if err != nil {
			t.Fatal(err)
		}
		receive(t, s)
		return s
	}
	a1, a2, b := join("acme"), join("acme"), join("beta")
	if _, err := dial(t, srv.URL, "/open/lobby"); err != nil { // who is in a room of that name elsewhere
		t.Fatal(err)
	}
	a1.Send("secret")
	if got := receive(t, a2); got != "secret" {
		t.Errorf("a member got %q", got)
	}
	resp, err := http.Post(srv.URL+"/t/beta/announce?key=beta", "", nil)
	if err != nil || resp.StatusCode != http.StatusNoContent && resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if got := receive(t, b); got != "announced" {
		t.Errorf("the other tenant got %q", got)
	}
	app.WebSockets().Namespace("/t/acme").To("lobby").Send("by name")
	for _, s := range []*websocket.Socket{a1, a2} {
		if got := receive(t, s); got != "by name" {
			t.Errorf("a member got %q", got)
		}
	}
	app.WSAll().Send("all")
	for _, s := range []*websocket.Socket{a1, a2, b} {
		if got := receive(t, s); got != "all" {
			t.Errorf("one got %q", got)
		}
	}
	if got := app.WebSockets().Namespace("/t/acme").Stats(); got.Connections != 2 || got.Rooms != 1 || got.MessagesReceived != 1 {
		t.Errorf("the tenant counts %+v", got)
	}
}

// The prefix under which an App is mounted is part of the name, and its sockets stay
// its own.
func TestNamespaceOfAMountedApp(t *testing.T) {
	inner := New()
	inner.EnableWebSocket(websocket.Options{})
	inner.WS("/plain", tellNamespace)
	inner.Namespace("/rooms/:room").WS("/chat", tellNamespace)
	inner.Get("/who", func(c *Context) error {
		return c.Text(fmt.Sprint(NamespaceOf(c).Name(), " ", len(NamespaceOf(c).Sockets())))
	})
	middle := New()
	middle.Mount("/in", inner)
	app := New()
	app.Namespace("/t/:tenant").Mount("/", middle)
	app.Mount("/public/:who", inner)
	srv := served(t, app)
	for path, want := range map[string]string{
		"/t/acme/in/plain":                "/t/acme",
		"/t/beta/in/plain":                "/t/beta",
		"/t/acme/in/rooms/tea/chat":       "/t/acme/in/rooms/tea",
		"/t/beta/in/rooms/tea/chat":       "/t/beta/in/rooms/tea",
		"/public/ada/plain":               "",
		"/public/a%2Fda/rooms/t%2Fa/chat": "/public/a%2Fda/rooms/t%2Fa",
	} {
		s, err := dial(t, srv.URL, path)
		if err != nil {
			t.Fatal(path, err)
		}
		if got := receive(t, s); got != want {
			t.Errorf("%s is in %q, want %q", path, got, want)
		}
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/t/acme/in/who", nil))
	if got := w.Body.String(); got != "/t/acme 1" {
		t.Errorf("the mounted app's namespace is %q", got)
	}
}

func TestNamespaceNeedsAPrefixThatNamesIt(t *testing.T) {
	for prefix, want := range map[string]string{
		"":           "give a prefix",
		"/":          "give a prefix",
		"/t/*rest":   "instead of a catch-all",
		"/t/{id}":    ":name",
		"tenants":    "must begin with a slash",
		"/t/:a/b/:a": "comes twice",
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.Contains(text, want) {
					t.Errorf("%q panics with %q, want %q", prefix, text, want)
				}
			}()
			New().Namespace(prefix)
		}()
	}
}

// The middleware of sockets runs from the outside in, wherever it was added, and that of
// another group does not.
func TestGroupWSUseRunsFromTheOutsideIn(t *testing.T) {
	app, sub := New(), New()
	sub.EnableWebSocket(websocket.Options{})
	app.EnableWebSocket(websocket.Options{})
	note := func(name string) WSMiddleware {
		return func(s *websocket.Socket, c *Context, next func() error) error {
			s.Send(name)
			return next()
		}
	}
	app.WSUse(note("app"))
	outer := app.Namespace("/outer")
	inner := outer.Group("/inner")
	inner.WS("/chat", tellNamespace)
	outer.WS("/chat", tellNamespace)
	inner.WSUse(note("inner"), note("inner too"))
	outer.WSUse(note("outer"))
	barred := app.Group("/barred")
	barred.WSUse(func(*websocket.Socket, *Context, func() error) error { return NewError(http.StatusForbidden, "barred") })
	barred.WS("/chat", tellNamespace)
	barred.Mount("/sub", sub)
	app.WS("/chat", tellNamespace)
	sub.WS("/chat", tellNamespace)
	sub.WSUse(note("sub"))
	app.Group("/open").Mount("/sub", sub)
	srv := served(t, app)
	for path, want := range map[string][]string{
		"/chat":             {"app", ""},
		"/outer/chat":       {"app", "outer", "/outer"},
		"/outer/inner/chat": {"app", "outer", "inner", "inner too", "/outer"},
		"/open/sub/chat":    {"app", "sub", ""},
	} {
		s, err := dial(t, srv.URL, path)
		if err != nil {
			t.Fatal(path, err)
		}
		for _, want := range want {
			if got := receive(t, s); got != want {
				t.Errorf("%s: got %q, want %q", path, got, want)
			}
		}
	}
	for _, path := range []string{"/barred/chat", "/barred/sub/chat"} {
		if _, err := dial(t, srv.URL, path); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("%s: %v", path, err)
		}
	}
}
