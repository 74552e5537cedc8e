package nextrush

import (
	"fmt"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"testing"
)

// bruteMatch is the plain twin of the route table: it tries every route and
// takes the most specific that matches.
func bruteMatch(patterns []string, path string) (best string) {
	for _, p := range patterns {
		if bruteMatches(p, path) && (best == "" || bruteBeats(p, best)) {
			best = p
		}
	}
	return best
}

func bruteMatches(pattern, path string) bool {
	ps, xs := strings.Split(pattern, "/"), strings.Split(path, "/")
	for i, p := range ps {
		if strings.HasPrefix(p, "*") {
			return i < len(xs)
		}
		if i >= len(xs) {
			return false
		}
		if at := strings.IndexByte(p, ':'); at >= 0 {
			if !strings.HasPrefix(xs[i], p[:at]) || len(xs[i]) == at {
				return false
			}
			continue
		}
		if p != xs[i] {
			return false
		}
	}
	return len(ps) == len(xs)
}

// bruteRank orders segments of patterns, the best first.
func bruteRank(segment string) int {
	if strings.HasPrefix(segment, "*") {
		return 1000
	}
	if at := strings.IndexByte(segment, ':'); at >= 0 {
		return 500 - at
	}
	return 0
}

func bruteBeats(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	for i := range min(len(as), len(bs)) {
		if x, y := bruteRank(as[i]), bruteRank(bs[i]); x != y {
			return x < y
		}
	}
	return false
}

// tableOf registers patterns, leaving out those that match the same paths as
// an earlier one, and reports which are in.
func tableOf(patterns []string) (a *App, in []string) {
	a = New(Options{DisableRedirects: true})
	for _, p := range patterns {
		func() {
			defer func() { recover() }()
			a.Get(p, func(c *Context) error { return c.Text(c.Route()) })
			in = append(in, p)
		}()
	}
	return a, in
}

func checkPath(t *testing.T, a *App, patterns []string, path string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/", nil)
	r.URL.Path = path
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	got := w.Body.String()
	if w.Code != 200 {
		got = ""
	}
	if want := bruteMatch(patterns, path); got != want {
		t.Fatalf("%q of %q: got %q, want %q", path, patterns, got, want)
	}
}

var patternParts = []string{"a", "b", "ab", ":x", ":y", "a:x", "ab:z", ""}

func randomPattern(r *rand.Rand) string {
	var b strings.Builder
	n := 1 + r.IntN(4)
	for i := range n {
		part := patternParts[r.IntN(len(patternParts))]
		if i < n-1 && part == "" {
			part = "c"
		}
		if at := strings.IndexByte(part, ':'); at >= 0 {
			part += fmt.Sprint(i)
		}
		b.WriteString("/" + part)
	}
	if r.IntN(5) == 0 {
		return strings.TrimSuffix(b.String(), "/") + "/*rest"
	}
	return b.String()
}

func randomPath(r *rand.Rand) string {
	parts := []string{"a", "b", "ab", "abc", "c", "x", "", "ac"}
	var b strings.Builder
	for range 1 + r.IntN(5) {
		b.WriteString("/" + parts[r.IntN(len(parts))])
	}
	return b.String()
}

func TestTableAgreesWithBruteForceOnRandomRoutes(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		var patterns []string
		for range 1 + r.IntN(25) {
			patterns = append(patterns, randomPattern(r))
		}
		a, in := tableOf(patterns)
		for range 60 {
			checkPath(t, a, in, randomPath(r))
		}
	}
}

func FuzzRouteTable(f *testing.F) {
	f.Add("/a /:x /a/*r", "/a/b")
	f.Add("/users/:id /users/new /users/:uid/posts /*rest", "/users/new")
	f.Add("/a:x /ab:y /a/", "/abc")
	f.Fuzz(func(t *testing.T, list, path string) {
		fields := strings.Fields(list)
		if len(fields) > 12 || len(list) > 300 || !strings.HasPrefix(path, "/") || len(path) > 200 {
			return
		}
		a, in := tableOf(fields)
		checkPath(t, a, in, path)
	})
}

func TestMistakesInRoutesNameTheMend(t *testing.T) {
	h := func(c *Context) error { return nil }
	for name, c := range map[string]struct {
		f    func(a *App)
		want string
	}{
		"no slash":           {func(a *App) { a.Get("x", h) }, "begins with a slash"},
		"no handler":         {func(a *App) { a.Get("/x") }, "give at least one"},
		"nil handler":        {func(a *App) { a.Get("/x", nil) }, "is nil"},
		"unnamed parameter":  {func(a *App) { a.Get("/:", h) }, "needs one name"},
		"catch-all inside":   {func(a *App) { a.Get("/*a/b", h) }, "last segment"},
		"name used twice":    {func(a *App) { a.Get("/:a/:a", h) }, "two parameters"},
		"same route":         {func(a *App) { a.Get("/:a", h); a.Get("/:b", h) }, "table_test.go"},
		"socket not enabled": {func(a *App) { a.WS("/x", nil) }, "app.EnableWebSocket"},
		"lower case method":  {func(a *App) { a.Handle("get", "/x", h) }, "upper case"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, c.want) {
					t.Errorf("got %q, want something with %q", v, c.want)
				}
			}()
			c.f(New())
		})
	}
}
