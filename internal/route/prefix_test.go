package route

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/urlpath"
)

func mustPrefix(t *testing.T, path string) *Prefix {
	t.Helper()
	p, err := ParsePrefix(path)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func sent(t *testing.T, raw string) urlpath.Path {
	t.Helper()
	u, err := url.ParseRequestURI(raw)
	if err != nil {
		t.Fatal(err)
	}
	return urlpath.Of(u)
}

func TestPrefixMatchesForAnyReader(t *testing.T) {
	for _, tt := range []struct {
		prefix string
		yes    string
		no     string
	}{
		{"/api", "/api /api/ /api/users /API/users /%61pi/x //api/x /api//x /x/../api/y /x/%2e%2e/api /./api /api/../x " +
			`/api%2Fusers /x%2F..%2Fapi /%5Capi /x%5C..%5Capi /api%5Cx /api;v=1/x /;/api /api%3Bx/y /x/..;/api %2Fapi`, "/ /apis /ap /x/api /xapi /api%00 /api%2E"},
		{"/api/admin", "/api/admin /api/admin/x /Api/%41dmin /api%2Fadmin /api/x/../admin /api%5Cadmin", "/api /api/adm /admin /api/x/admin"},
		{"/t/:tenant", "/t/a /t/a/b /T/a", "/t /t/ /t//"},
	} {
		p := mustPrefix(t, tt.prefix)
		for raw := range strings.FieldsSeq(tt.yes) {
			if raw[0] != '/' {
				raw = "/" + raw
			}
			if _, ok := p.Match(sent(t, raw)); !ok {
				t.Errorf("%s is not under %s", raw, tt.prefix)
			}
		}
		for raw := range strings.FieldsSeq(tt.no) {
			if _, ok := p.Match(sent(t, raw)); ok {
				t.Errorf("%s is under %s", raw, tt.prefix)
			}
		}
	}
}

func TestPrefixHasParameters(t *testing.T) {
	p := mustPrefix(t, "/t/:tenant/v:major")
	for raw, want := range map[string][]string{
		"/t/acme/v2/users":  {"acme", "2"},
		"/T/acme/V2":        {"acme", "2"},
		"/t/a%2Fb/v2":       {"a/b", "2"},
		"/t/a%20b/v2":       {"a b", "2"},
		"//t/acme/v2":       {"acme", "2"},
		"/t/../t/acme/v2":   {"acme", "2"},
		"/t/acme/v":         nil,
		"/t/%2e%2e/v2":      nil,
		"/t/..%2Fx/v2/more": nil,
	} {
		params, ok := p.Match(sent(t, raw))
		if ok != (want != nil) {
			t.Errorf("%s: %t", raw, ok)
			continue
		}
		var got []string
		for i := range params {
			got = append(got, params.At(i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

// What Covers rules out is never asked again, so it must agree with Match on each path
// that the pattern matches.
func TestCoversAgreesWithMatch(t *testing.T) {
	prefixes := []string{"/a", "/a/b", "/:x", "/a/:x", "/b", "/a/b/c"}
	patterns := []string{"/", "/a", "/A/b", "/a/b", "/:p", "/a/:p", "/:p/b", "/*r", "/a/*r", "/c/*r", "/a:p", "/c", "/c/:p", "/a/b/:p"}
	segments := []string{"a", "A", "b", "c", "..", ".", "", "a%2Fb", "..%2Fa", "%5Ca", "x%5C..%5Ca", "a;b", "..;", "ax"}
	var paths []string
	for _, one := range segments {
		paths = append(paths, "/"+one)
		for _, two := range segments {
			paths = append(paths, "/"+one+"/"+two)
			for _, three := range segments {
				paths = append(paths, "/"+one+"/"+two+"/"+three)
			}
		}
	}
	for _, text := range patterns {
		pattern, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		table := Build([]Entry[*Pattern]{{Method: "GET", Pattern: pattern, Value: pattern}})
		for _, prefix := range prefixes {
			p := mustPrefix(t, prefix)
			all, some := p.Covers(pattern)
			if all && !some {
				t.Errorf("%s covers all and none of %s", prefix, text)
			}
			for _, raw := range paths {
				path := sent(t, raw)
				if _, _, found := table.Find("GET", path); !found {
					continue
				}
				if _, ok := p.Match(path); ok && !some || !ok && all {
					t.Errorf("%s under %s: %t; covers all %t, some %t of %s", raw, prefix, ok, all, some, text)
				}
			}
		}
	}
}

func TestPrefixesThatAreRefused(t *testing.T) {
	for path, fix := range map[string]string{
		"/files/*rest": "leave /*rest out",
		"/{id}":        "write :name",
		"/a/*b/c":      "to the end",
	} {
		if _, err := ParsePrefix(path); err == nil || !strings.Contains(err.Error(), fix) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
