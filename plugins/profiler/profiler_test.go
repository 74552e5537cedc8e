package profiler_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/profiler"
)

// password lets those through who send the password.
func password(c *nextrush.Context) error {
	if c.Header("X-Password") != "sesame" {
		return nextrush.NewError(http.StatusUnauthorized)
	}
	return c.Next()
}

func client(t *testing.T, opts profiler.Options) *nextrushtest.Client {
	t.Helper()
	app := nextrush.New()
	if err := app.Register(profiler.New(opts)); err != nil {
		t.Fatal(err)
	}
	return nextrushtest.New(t, app)
}

func get(c *nextrushtest.Client, path, word string) *nextrushtest.Response {
	r, err := http.NewRequest("GET", path, nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Password", word)
	return c.Do(r)
}

func TestProfilesAreForThoseWhomAuthLetsPass(t *testing.T) {
	c := client(t, profiler.Options{Auth: password})
	gzipped := "\x1f\x8b"
	for path, begin := range map[string]string{
		"/debug/pprof/":                     "<html>",
		"/debug/pprof/heap":                 gzipped,
		"/debug/pprof/allocs":               gzipped,
		"/debug/pprof/goroutine?debug=1":    "goroutine profile:",
		"/debug/pprof/cmdline":              "",
		"/debug/pprof/symbol":               "num_symbols: 1",
		"/debug/pprof/profile?seconds=1":    gzipped,
		"/debug/pprof/trace?seconds=0.01":   "go 1.",
		"/debug/pprof/threadcreate?debug=1": "threadcreate profile:",
	} {
		get(c, path, "wrong").WantStatus(401)
		resp := get(c, path, "sesame").WantStatus(200)
		if !bytes.HasPrefix(bytes.TrimSpace(resp.Body), []byte(begin)) {
			t.Errorf("%s begins with %.20q", path, resp.Body)
		}
		if cache := resp.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
			t.Errorf("%s: Cache-Control %q", path, cache)
		}
	}
	get(c, "/debug/pprof/nothing", "sesame").WantStatus(404)
	get(c, "/debug/pprof/nothing", "wrong").WantStatus(401)
}

func TestLinksOfTheIndexWorkUnderAnotherPrefix(t *testing.T) {
	c := client(t, profiler.Options{Auth: password, Prefix: "internal/profiles/"})
	page := get(c, "/internal/profiles/", "sesame").WantStatus(200).Text()
	if !strings.Contains(page, `href='heap?debug=1'`) {
		t.Errorf("no link to the heap: %s", page)
	}
	get(c, "/internal/profiles/heap?debug=1", "sesame").WantStatus(200)
	get(c, "/debug/pprof/", "sesame").WantStatus(404)
}

func TestWithoutAuthNothingIsInstalled(t *testing.T) {
	app := nextrush.New()
	err := app.Register(profiler.New(profiler.Options{}))
	if err == nil || !strings.Contains(err.Error(), "Options.Auth") {
		t.Errorf("got %v", err)
	}
	if routes := app.Routes(); len(routes) != 0 {
		t.Errorf("routes %v", routes)
	}
	if err := app.Start(t.Context()); err == nil {
		t.Error("the app has started")
	}
}
