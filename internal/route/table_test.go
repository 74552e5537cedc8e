package route

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// plainMatch is the matcher that the table must agree with: it tries every route. The
// texts are the segments of the path.
func plainMatch(p *Pattern, texts []string) (params []string, ok bool) {
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
func plainFind(all []*Pattern, texts []string) (*Pattern, []string) {
	var best *Pattern
	var params []string
	for _, rt := range all {
		if ps, ok := plainMatch(rt, texts); ok && (best == nil || plainBefore(rt, best)) {
			best, params = rt, ps
		}
	}
	return best, params
}

// plainFindSent is plainFind for a path as it was sent: each segment is decoded for
// itself, and a catch-all must have the route that it has with all its slashes.
func plainFindSent(all []*Pattern, raw string) (*Pattern, []string) {
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
func plainFindTexts(all []*Pattern, texts []string) (*Pattern, []string) {
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

func plainBefore(a, b *Pattern) bool {
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

// checkTable compares a table of the paths with the plain matcher.
func checkTable(t *testing.T, paths, requests []string) {
	t.Helper()
	var all []*Pattern
	var entries []Entry[*Pattern]
	taken := map[string]bool{}
	for _, path := range paths {
		p, err := Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if !taken[p.Canonical] {
			taken[p.Canonical] = true
			all = append(all, p)
			entries = append(entries, Entry[*Pattern]{Method: http.MethodGet, Pattern: p, Value: p})
		}
	}
	table := Build(entries)
	for _, path := range requests {
		u := url.URL{Path: path}
		if strings.Contains(path, "%2F") {
			u.Path, _ = url.PathUnescape(path)
			u.RawPath = path
		}
		want, params := plainFindSent(all, u.EscapedPath())
		got, found, ok := table.Find(http.MethodGet, urlpath.Of(&u))
		var values []string
		for i := range found {
			values = append(values, found.At(i))
		}
		if got != want || ok != (want != nil) || !slices.Equal(values, params) {
			t.Fatalf("routes %q\npath %q: got %v %q, want %v %q", paths, path, pathOf(got), values, pathOf(want), params)
		}
	}
}

func pathOf(rt *Pattern) string {
	if rt == nil {
		return "nothing"
	}
	return rt.Path
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

func validPath(path string) bool {
	_, err := Parse(path)
	return err == nil
}
