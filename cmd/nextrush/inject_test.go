package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestPoliciesLetTheScriptInAndNothingElse(t *testing.T) {
	const script, socket = "localhost:3000/.nextrush/dev.js", "ws://localhost:3000/.nextrush/dev"
	for _, c := range []struct{ policy, want, nonce string }{
		{"default-src 'self'; script-src 'self'", "", ""},
		{"img-src 'none'", "", ""},
		{"script-src 'nonce-abc' 'strict-dynamic'; connect-src *", "", "abc"},
		{"default-src 'none'", "default-src " + script + " " + socket, ""},
		{"default-src 'self'; SCRIPT-SRC 'none' ; connect-src 'none'", "default-src 'self'; SCRIPT-SRC " + script + "; connect-src " + socket, ""},
		{"script-src 'self'; script-src-elem https://cdn.example; connect-src 'self'", "script-src 'self'; script-src-elem https://cdn.example " + script + "; connect-src 'self'", ""},
		{"script-src 'self', script-src 'none'", "script-src 'self', script-src " + script, ""},
		{"script-src", "script-src " + script, ""},
		{"", "", ""},
	} {
		policies := []string{c.policy}
		if c.want == "" {
			c.want = c.policy
		}
		if nonce := letIn(policies, "localhost:3000"); nonce != c.nonce || strings.TrimSpace(policies[0]) != c.want {
			t.Errorf("%q becomes %q with the nonce %q, want %q", c.policy, policies[0], nonce, c.want)
		}
	}
}

func TestOnlyPagesLoadTheScript(t *testing.T) {
	const tag = "<script src=\"/.nextrush/dev.js?1\"></script>\n"
	page := http.Header{"Content-Type": {"text/html; charset=utf-8"}}
	for name, c := range map[string]struct {
		header, request http.Header
		status          int
		loads           bool
	}{
		"a page":            {page, http.Header{"Accept": {"text/html"}}, 200, true},
		"an error page":     {page, http.Header{"Sec-Fetch-Dest": {"document"}}, 404, true},
		"a frame":           {page, http.Header{"Sec-Fetch-Dest": {"iframe"}}, 200, true},
		"a part of a page":  {page, http.Header{"Sec-Fetch-Dest": {"empty"}, "Accept": {"text/html"}}, 200, false},
		"for a program":     {page, http.Header{"Accept": {"*/*"}}, 200, false},
		"a range":           {page, http.Header{"Accept": {"text/html"}}, 206, false},
		"compressed anyway": {http.Header{"Content-Type": {"text/html"}, "Content-Encoding": {"gzip"}}, http.Header{"Accept": {"text/html"}}, 200, false},
		"something else":    {http.Header{"Content-Type": {"text/plain"}}, http.Header{"Accept": {"text/html"}}, 200, false},
		"nobody knows what": {http.Header{}, http.Header{"Accept": {"text/html"}}, 200, false},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header = c.request
		res := &http.Response{StatusCode: c.status, Header: c.header.Clone(), Request: r, Body: io.NopCloser(strings.NewReader("text")), ContentLength: 4}
		adapt(res, "/.nextrush/dev.js?1")
		body, err := io.ReadAll(res.Body)
		want := "text"
		if c.loads {
			want += tag
		}
		if err != nil || string(body) != want || res.ContentLength != int64(len(want)) {
			t.Errorf("%s: %q, %v, length %d", name, body, err, res.ContentLength)
		}
	}
}

func TestBrowsersKeepNothingThatMayChange(t *testing.T) {
	for value, want := range map[string]string{"max-age=31536000, immutable": "no-cache", "no-store": "no-store", "": ""} {
		res := &http.Response{Header: http.Header{"Cache-Control": {value}}, Request: httptest.NewRequest("GET", "/", nil)}
		adapt(res, "")
		if got := res.Header.Get("Cache-Control"); got != want {
			t.Errorf("%q becomes %q", value, got)
		}
	}
}
