package nextrush

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// plainMatch is the matcher that the table must agree with: it tries every route. The
// texts are the segments of the path.
func plainMatch(p *pattern, texts []string) (params []string, ok bool) {
	for i, s := range p.segments {
		if i >= len(texts) {
			return nil, false
		}
		switch s.kind {
		case catchAllSegment:
			return append(params, strings.Join(texts[i:], "/")), true
		case staticSegment:
			if texts[i] != s.static {
				return nil, false
			}
		case paramSegment:
			value, found := strings.CutPrefix(texts[i], s.static)
			if !found || value == "" || urlpath.HasDots(value) {
				return nil, false
			}
			params = append(params, value)
		}
	}
	return params, len(texts) == len(p.segments)
}

// plainFind is the match that takes precedence.
func plainFind(all []*Route, texts []string) (*Route, []string) {
	var best *Route
	var params []string
	for _, rt := range all {
		if ps, ok := plainMatch(&rt.pattern, texts); ok && (best == nil || plainBefore(rt, best)) {
			best, params = rt, ps
		}
	}
	return best, params
}

// plainFindSent is plainFind for a path as it was sent: each segment is decoded for
// itself, and a catch-all must have the route that it has with all its slashes.
func plainFindSent(all []*Route, raw string) (*Route, []string) {
	var texts []string
	for text := range strings.SplitSeq(raw[1:], "/") {
		text, _ = url.PathUnescape(text)
		texts = append(texts, text)
	}
	rt, params := plainFind(all, texts)
	if rt == nil || !rt.endsInCatchAll() {
		return rt, params
	}
	n := len(rt.segments) - 1
	opened := append(slices.Clone(texts[:n]), strings.Split(strings.Join(texts[n:], "/"), "/")...)
	if other, _ := plainFindTexts(all, opened); other != rt {
		return nil, nil
	}
	return rt, params
}

// plainFindTexts is plainFindSent for segments that are decoded.
func plainFindTexts(all []*Route, texts []string) (*Route, []string) {
	var raw strings.Builder
	for _, text := range texts {
		raw.WriteString("/" + url.PathEscape(text))
	}
	if rt, params := plainFind(all, texts); rt == nil || !rt.endsInCatchAll() || !slices.ContainsFunc(texts[len(rt.segments)-1:], hasSlash) {
		return rt, params
	}
	return plainFindSent(all, raw.String())
}

func hasSlash(s string) bool { return strings.Contains(s, "/") }

func plainBefore(a, b *Route) bool {
	for i := range a.segments {
		s, o := a.segments[i], b.segments[i]
		if s == o {
			continue
		}
		if s.kind != o.kind {
			return s.kind < o.kind
		}
		return len(s.static) > len(o.static)
	}
	return false
}

// checkTable registers the paths and compares the table with the plain matcher.
func checkTable(t *testing.T, paths, requests []string) {
	t.Helper()
	app := New()
	for _, p := range paths {
		rt := new(Route)
		rt.setPattern(p)
		if app.taken["GET "+rt.canonical] == nil {
			app.Get(p, text(p))
		}
	}
	table := app.buildTable()
	for _, path := range requests {
		u := url.URL{Path: path}
		if strings.Contains(path, "%2F") {
			u.Path, _ = url.PathUnescape(path)
			u.RawPath = path
		}
		want, params := plainFindSent(app.all, u.EscapedPath())
		w := new(response)
		var got *Route
		var values []string
		if e, ps := table.methods["GET"].find(urlpath.Of(&u), w); e != nil {
			got = e.route
			c := &Context{rw: response{match: e}, params: ps}
			for i := range e.route.names {
				values = append(values, c.param(i))
			}
		}
		if got != want || !slices.Equal(values, params) {
			t.Fatalf("routes %q\npath %q: got %v %q, want %v %q", paths, path, pathOf(got), values, pathOf(want), params)
		}
	}
}

func pathOf(rt *Route) string {
	if rt == nil {
		return "nothing"
	}
	return rt.path
}

func TestTheTableAgreesWithTryingEveryRoute(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 1500 {
		var paths, requests []string
		for range 1 + rnd.IntN(12) {
			paths = append(paths, randomPath(rnd, []string{"a", "b", "ab", "", ":x", ":x", "a:x", "ab:x"}, []string{"", "/*rest"}))
		}
		for range 40 {
			requests = append(requests, randomPath(rnd, []string{"a", "b", "ab", "abc", "", "c", ".", "..", "a..", "...", "a%2Fb", "%2F", "a%2F..", "ab%00%2F", "a%2Fb%2Fc"}, []string{"", "/"}))
		}
		checkTable(t, paths, requests)
	}
}

func randomPath(rnd *rand.Rand, segments, ends []string) string {
	var b strings.Builder
	for i := range 1 + rnd.IntN(4) {
		s := segments[rnd.IntN(len(segments))]
		if strings.HasSuffix(s, ":x") {
			s += fmt.Sprint(i)
		}
		b.WriteString("/" + s)
	}
	return b.String() + ends[rnd.IntN(len(ends))]
}

func FuzzRouteTable(f *testing.F) {
	f.Add("/users/new /users/:id /users/:uid/posts /users/new/:x /*rest", "/users/new/posts")
	f.Add("/a/:b/*c /a/:b/c /:x/:y /v:n", "/a//c")
	f.Add("/:a/ /:a/*b", "/x/")
	f.Fuzz(func(t *testing.T, set, request string) {
		var paths []string
		for p := range strings.FieldsSeq(set) {
			if strings.HasPrefix(p, "/") && validPath(p) && len(paths) < 20 {
				paths = append(paths, p)
			}
		}
		if len(paths) == 0 || !strings.HasPrefix(request, "/") {
			return
		}
		checkTable(t, paths, []string{request, request + "/", request + "x", "/"})
	})
}

func validPath(p string) (ok bool) {
	defer func() { ok = recover() == nil }()
	new(Route).setPattern(p)
	return true
}

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
		if strings.Count(s, "table_test.go:") != 2 || !strings.Contains(s, "/users/:name") {
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
