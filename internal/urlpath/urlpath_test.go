package urlpath

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func FuzzPath(f *testing.F) {
	for _, raw := range []string{"/a%2Fb", "/a%2fb/%00%01", "/%00%2F%01", "/a%252Fb%2F", "/%20%2F%3B;", "/a", "*", "/%2", "/a/%3Bb"} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		u, err := url.ParseRequestURI(raw)
		if err != nil || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(raw, "/") {
			return
		}
		p := Of(u)
		if p.Decoded() != u.Path {
			t.Fatalf("%q: decoded %q, want %q", raw, p.Decoded(), u.Path)
		}
		var to url.URL
		p.Set(&to)
		if got, want := segments(to.EscapedPath()), segments(u.EscapedPath()); !slices.Equal(got, want) {
			t.Fatalf("%q: segments %q, want %q", raw, got, want)
		}
		if p.Held && Open(p.Text) == p.Text || strings.Count(p.Text, "/") != strings.Count(u.EscapedPath(), "/") {
			t.Fatalf("%q: %+v", raw, p)
		}
		if opened := (Path{Open(p.Text), true}); p.Held && opened.Decoded() != u.Path {
			t.Fatalf("%q: opened %q", raw, opened.Decoded())
		}
	})
}

func segments(escaped string) []string {
	parts := strings.Split(escaped, "/")
	for i := range parts {
		parts[i], _ = url.PathUnescape(parts[i])
	}
	return parts
}

func TestHasDots(t *testing.T) {
	for path, want := range map[string]bool{
		"": false, "a": false, ".": true, "..": true, "...": false, "a/..": true, "./a": true, `a\..\b`: true, "..;x/a": true,
		"a.b/..c/d..": false, ";..": false, "a//./b": true,
	} {
		if HasDots(path) != want {
			t.Errorf("%q", path)
		}
	}
}
