package nextrush

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// do sends a request to an App and gives the recorded answer.
func do(a http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w
}

func TestOverlappingRoutesGoToTheMostSpecific(t *testing.T) {
	a := New()
	for _, pattern := range []string{"/*rest", "/users/:id", "/users/new", "/users/:uid/posts", "/users/new/:x", "/files/*path"} {
		a.Get(pattern, func(c *Context) error {
			return c.Text(pattern + " " + c.Param("id") + c.Param("uid") + c.Param("x") + c.Param("path") + c.Param("rest"))
		})
	}
	for path, want := range map[string]string{
		"/users/new":       "/users/new ",
		"/users/7":         "/users/:id 7",
		"/users/7/posts":   "/users/:uid/posts 7",
		"/users/new/posts": "/users/new/:x posts",
		"/users/new/y":     "/users/new/:x y",
		"/users/7/other":   "/*rest users/7/other",
		"/files/a/b":       "/files/*path a/b",
		"/":                "/*rest ",
	} {
		if got := do(a, "GET", path, "").Body.String(); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestSocketBesideRoute(t *testing.T) {
	a := New()
	a.EnableWebSocket(websocket.Options{})
	a.Get("/", func(c *Context) error { return c.Text("page") })
	a.WS("/echo/:name", func(s *websocket.Socket, c *Context) error {
		s.Send("Welcome, " + c.Param("name"))
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	srv := httptest.NewServer(a)
	defer srv.Close()
	s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(srv.URL, "http")+"/echo/ann", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Send("hi")
	for _, want := range []string{"Welcome, ann", "hi"} {
		m, err := s.Receive(t.Context())
		if err != nil || m.Text() != want {
			t.Fatalf("got %q, %v, want %q", m.Text(), err, want)
		}
	}
	s.Close(websocket.StatusNormalClosure, "")
	if err := a.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w := do(a, "GET", "/echo/ann", ""); w.Code != http.StatusUpgradeRequired || w.Header().Get("Upgrade") != "websocket" {
		t.Errorf("plain GET: got %d, Upgrade %q", w.Code, w.Header().Get("Upgrade"))
	}
}

func TestBindTakesTaggedFieldsOnly(t *testing.T) {
	a := New()
	type address struct {
		Zip string `json:"zip" validate:"len=5"`
	}
	type input struct {
		ID      int `path:"id"`
		Page    int `query:"page"`
		IsAdmin bool
		Name    string  `json:"name" validate:"required"`
		Address address `json:"address"`
	}
	var got input
	a.Post("/users/:id", func(c *Context) error {
		got = input{}
		if err := c.Bind(&got); err != nil {
			return err
		}
		return c.Status(201).JSON(got)
	})
	w := do(a, "POST", "/users/7?page=2&IsAdmin=true", `{"name":"ann","IsAdmin":true,"id":9,"address":{"zip":"12345"}}`, "Content-Type", "application/json")
	if w.Code != 201 || got.ID != 7 || got.Page != 2 || got.IsAdmin || got.Name != "ann" {
		t.Errorf("got %d %s %+v", w.Code, w.Body, got)
	}
	for body, want := range map[string]int{
		`{"name":"ann","address":{"zip":"1"}}`: 422,
		`{`:                                    400,
		`{"name":1}`:                           400,
		`{"name":"a"} {}`:                      400,
	} {
		if w := do(a, "POST", "/users/7", body, "Content-Type", "application/json"); w.Code != want {
			t.Errorf("%s: got %d %s, want %d", body, w.Code, w.Body, want)
		}
	}
	w = do(a, "POST", "/users/7", `{"name":"ann","address":{"zip":"1"}}`, "Content-Type", "application/json")
	if !strings.Contains(w.Body.String(), `"field":"address.zip"`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestRedirectsStayOnTheHost(t *testing.T) {
	a := New()
	a.Get("/evil.com", func(c *Context) error { return c.Text("") })
	a.Get("/a/", func(c *Context) error { return c.Text("") })
	for _, target := range []string{"//evil.com/", "///evil.com", "/./evil.com/", "/a", "//a/"} {
		w := do(a, "GET", "http://host"+target, "")
		if l := w.Header().Get("Location"); w.Code != 308 || !strings.HasPrefix(l, "/") || strings.HasPrefix(l, "//") || strings.HasPrefix(l, "/\\") {
			t.Errorf("%s: got %d to %q", target, w.Code, l)
		}
	}
}
