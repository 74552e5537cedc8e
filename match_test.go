package nextrush

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPrecedenceDoesNotDependOnTheOrder(t *testing.T) {
	paths := []string{"/users/new", "/users/:id", "/users/:uid/posts", "/users/new/:x", "/*rest", "/v:major", "/:one"}
	tests := map[string]string{
		"/users/new":       "/users/new",
		"/users/7":         "/users/:id",
		"/users/7/posts":   "/users/:uid/posts",
		"/users/new/posts": "/users/new/:x",
		"/users/7/other":   "/*rest",
		"/v2":              "/v:major",
		"/v":               "/:one",
		"/w":               "/:one",
		"/":                "/*rest",
	}
	for range len(paths) {
		paths = append(paths[1:], paths[0])
		app := New()
		for _, p := range paths {
			app.Get(p, text(p))
		}
		for path, want := range tests {
			if got := do(t, app, "GET", path, "").Body.String(); got != want {
				t.Errorf("%s: got %s, want %s", path, got, want)
			}
		}
	}
}

func TestTwoRoutesForTheSamePathsPanicWithBothPlaces(t *testing.T) {
	app := New()
	app.Get("/users/:id", text("a"))
	defer func() {
		s, _ := recover().(string)
		if strings.Count(s, "match_test.go:") != 2 || !strings.Contains(s, "/users/:name") {
			t.Fatalf("panic %q", s)
		}
	}()
	app.Get("/users/:name", text("b"))
}

func TestMistakesInPathsPanic(t *testing.T) {
	for _, path := range []string{"x", "/:", "/a*b", "/*a/b", "/:a/:a", "/:a:b", "/*",
		"/:a?", `/:a(\d+)`, "/:a+", "/:a.json", "/{a}", "/x/{a...}"} {
		t.Run(path, func(t *testing.T) {
			defer func() {
				if s, _ := recover().(string); !strings.HasPrefix(s, "nextrush: ") {
					t.Fatalf("panic %q", s)
				}
			}()
			New().Get(path, text(""))
		})
	}
}

func TestMethodsThatNoClientSendsPanic(t *testing.T) {
	for _, method := range []string{"", "get", "GET /x"} {
		func() {
			defer func() {
				if s, _ := recover().(string); !strings.Contains(s, "as in GET") {
					t.Errorf("%q: panic %q", method, s)
				}
			}()
			New().Handle(method, "/", text(""))
		}()
	}
}

func TestMethodsOfOnePath(t *testing.T) {
	app := New()
	app.Any("/x", text("any"))
	app.Get("/x", text("get"))
	app.Route("/y").Get(text("get")).Post(text("post"))
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/x", "get"}, {"DELETE", "/x", "any"}, {"HEAD", "/x", "get"}, {"OPTIONS", "/x", "any"},
		{"POST", "/y", "post"},
	} {
		if got := do(t, app, tt.method, tt.path, "").Body.String(); got != tt.want {
			t.Errorf("%s %s: got %q, want %q", tt.method, tt.path, got, tt.want)
		}
	}
}

func TestRedirectsStayOnThisHost(t *testing.T) {
	app := New()
	app.Get("/:name", text(""))
	app.Get("/:name/dir/", text(""))
	for _, path := range []string{
		"//evil.com/", "/%2fevil.com/", "/\\evil.com/", "/%5cevil.com/", "///", "//evil.com/%2f..",
		"//evil.com", "/%09/evil.com/", "/evil.com//dir", "//evil.com/dir", "/.//evil.com/", "/a/../b/",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.URL.Path, r.URL.RawPath = unescape(path), ""
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		to := w.Header().Get("Location")
		if w.Code == 308 != (to != "") {
			t.Errorf("%s: status %d, Location %q", path, w.Code, to)
		}
		if to != "" && (to[0] != '/' || len(to) > 1 && strings.ContainsAny(to[1:2], `/\`)) {
			t.Errorf("%s: Location %q", path, to)
		}
	}
	if to := do(t, app, "GET", "/a/?x=1&y=%2f", "").Header().Get("Location"); to != "/a?x=1&y=%2f" {
		t.Errorf("the query got lost: %q", to)
	}
}

func unescape(s string) string {
	return strings.NewReplacer("%2f", "/", "%5c", `\`, "%09", "\t").Replace(s)
}

func TestNamedRoutesGiveTheirURL(t *testing.T) {
	sub := New()
	sub.Get("/f/*path", text("")).Named("file")
	app := New()
	app.Mount("/sub", sub)
	app.Group("/u").Get("/:id/v:n", text("")).Named("user")
	for _, tt := range []struct {
		name   string
		params []any
		want   string
	}{
		{"user", []any{"a/b", 2}, "/u/a%2Fb/v2"},
		{"file", []any{"x y/z"}, "/sub/f/x%20y/z"},
		{"user", []any{1}, ""}, {"user", []any{"", 1}, ""}, {"none", nil, ""},
	} {
		got, err := app.URL(tt.name, tt.params...)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s %v: %q, %v", tt.name, tt.params, got, err)
		}
	}
}
