package problem

import (
	"net/http"
	"reflect"
	"strings"
	"testing"
)

func TestForGivesWhatTheClientPrefers(t *testing.T) {
	const json, html = "application/problem+json", "text/html; charset=utf-8"
	for accept, want := range map[string]string{
		"": json, "*/*": json, "text/html": html, "text/html,*/*;q=0.8": html, "application/json, text/html": json, "image/png": json,
	} {
		if got, _, err := New(404, "", "", nil).For([]string{accept}); err != nil || got != want {
			t.Errorf("%q: %s, %v", accept, got, err)
		}
	}
}

func TestABodySaysNoMoreThanIsKnown(t *testing.T) {
	for want, d := range map[string]Details{
		`{"type":"about:blank","title":"Not Found","status":404}`:                                         New(404, "Not Found", "", nil),
		`{"type":"about:blank","title":"Not Found","status":404,"detail":"no book","code":"gone"}`:        New(404, "no book", "gone", nil),
		`{"type":"about:blank","title":"Bad Request","status":400,"detail":"name is wrong","errors":[1]}`: New(400, "name is wrong", "", []int{1}),
		`{"type":"about:blank","title":"Bad Request","status":400,"detail":"none"}`:                       New(400, "none", "", func() {}), // which JSON cannot hold
	} {
		if _, body, _ := d.For(nil); string(body) != want {
			t.Errorf("%s\nwant %s", body, want)
		}
	}
}

func TestPagesEscapeWhatTheySay(t *testing.T) {
	_, page, err := New(400, "<script>", "", nil).For([]string{"text/html"})
	if err != nil || strings.Contains(string(page), "<script>") || !strings.Contains(string(page), "&lt;script&gt;") {
		t.Errorf("%s, %v", page, err)
	}
}

// A header that was meant for another answer would make caches and clients wrong.
func TestKeepHeader(t *testing.T) {
	h := http.Header{
		"Content-Encoding": {"gzip"}, "Content-Length": {"9"}, "Etag": {`"x"`}, "Last-Modified": {"x"},
		"Cache-Control": {"public"}, "Vary": {"Origin"}, "Retry-After": {"1"},
	}
	KeepHeader(h, http.Header{"Retry-After": {"5"}})
	want := http.Header{"Cache-Control": {"no-store"}, "Vary": {"Origin"}, "Retry-After": {"5"}, "X-Content-Type-Options": {"nosniff"}}
	if !reflect.DeepEqual(h, want) {
		t.Errorf("%v", h)
	}
	h = http.Header{}
	if KeepHeader(h, nil); h.Get("Cache-Control") != "" {
		t.Errorf("%v", h)
	}
}
