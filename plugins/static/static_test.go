package static_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/static"
)

// site returns a directory with files that must be served, and others that must not.
func site(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	for name, text := range map[string]string{
		"secret.txt":            "secret",
		"public/index.html":     "<p>root",
		"public/app.js":         "0123456789",
		"public/sub/index.html": "<p>sub",
		"public/bare/a.txt":     "a",
		"public/.env":           "secret",
		"public/.git/config":    "secret",
	} {
		file := filepath.Join(base, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(base, "secret.txt"), filepath.Join(base, "public", "link.txt")); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(base, "public")
}

func get(app http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestServesFilesAndNothingElse(t *testing.T) {
	app := appWith(t, static.New("/s", site(t)))
	for _, test := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/s/app.js", 200, "0123456789"},
		{"HEAD", "/s/app.js", 200, ""},
		{"GET", "/s/", 200, "<p>root"},
		{"GET", "/s/sub/", 200, "<p>sub"},
		{"GET", "/s/sub", 301, ""},
		{"POST", "/s/app.js", 405, ""},
		{"GET", "/s/bare/", 404, ""},
		{"GET", "/s/bare", 404, ""},
		{"GET", "/s/app.js/", 404, ""},
		{"GET", "/s/missing", 404, ""},
		{"GET", "/s/.env", 404, ""},
		{"GET", "/s/.git/config", 404, ""},
		{"GET", "/s/link.txt", 404, ""},
		{"GET", "/s/%2e%2e/secret.txt", 404, ""},
		{"GET", "/s/..%2fsecret.txt", 404, ""},
		{"GET", "/s/sub%2findex.html", 404, ""},
		{"GET", "/s/..%5csecret.txt", 404, ""},
		{"GET", "/s/C:/secret.txt", 404, ""},
		{"GET", "/s/app.js%00.txt", 404, ""},
	} {
		w := get(app, test.method, test.target)
		if w.Code != test.status || test.status == 200 && w.Body.String() != test.body {
			t.Errorf("%s %s: %d %q, want %d %q", test.method, test.target, w.Code, w.Body, test.status, test.body)
		}
	}
}

func TestRangesAndConditionsUseAStrongETag(t *testing.T) {
	app := appWith(t, static.New("/s", site(t), static.Options{CacheControl: "public, max-age=60"}))
	first := get(app, "GET", "/s/app.js")
	tag := first.Header().Get("ETag")
	if len(tag) != 24 || tag[0] != '"' || first.Header().Get("Cache-Control") != "public, max-age=60" {
		t.Errorf("headers: %v", first.Header())
	}
	if w := get(app, "GET", "/s/app.js", "If-None-Match", tag); w.Code != 304 {
		t.Errorf("If-None-Match: %d", w.Code)
	}
	if w := get(app, "GET", "/s/app.js", "Range", "bytes=2-4", "If-Range", tag); w.Code != 206 || w.Body.String() != "234" {
		t.Errorf("Range: %d %q", w.Code, w.Body)
	}
}

func TestETagFollowsTheContent(t *testing.T) {
	dir := site(t)
	app := appWith(t, static.New("/s", dir))
	before := get(app, "GET", "/s/app.js").Header().Get("ETag")
	if err := os.WriteFile(filepath.Join(dir, "app.js"), []byte("new content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if after := get(app, "GET", "/s/app.js").Header().Get("ETag"); after == before || after == "" {
		t.Errorf("ETag %s, before %s", after, before)
	}
}

func TestSPAFallsBackForPagesOnly(t *testing.T) {
	app := appWith(t, static.New("/", site(t), static.Options{SPA: true}))
	for _, test := range []struct {
		target, accept string
		status         int
	}{
		{"/users/7", "text/html,*/*", 200},
		{"/users/7", "application/json", 404},
		{"/users/7", "*/*", 404},
		{"/gone.js", "text/html", 404},
		{"/.env", "text/html", 404},
	} {
		if w := get(app, "GET", test.target, "Accept", test.accept); w.Code != test.status {
			t.Errorf("%s for %s: %d, want %d", test.target, test.accept, w.Code, test.status)
		}
	}
}

func ExampleFS() {
	files := fstest.MapFS{"hello.txt": {Data: []byte("hello")}}
	app := nextrush.New()
	app.Register(static.FS("/assets", files))
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/assets/hello.txt", nil))
	fmt.Println(w.Code, w.Body)
	// Output: 200 hello
}

func appWith(t *testing.T, p nextrush.Plugin) *nextrush.App {
	t.Helper()
	app := nextrush.New()
	if err := app.Register(p); err != nil {
		t.Fatal(err)
	}
	return app
}

func TestRangesOfFilesKeepToTheRFC(t *testing.T) {
	app := nextrush.New()
	app.Register(static.FS("/", fstest.MapFS{"f.txt": {Data: make([]byte, 100)}, "empty.txt": {}}))
	for _, tt := range []struct {
		path, value string
		status      int
	}{{"/f.txt", "items=0-1", 200}, {"/f.txt", "bytes=-0", 416}, {"/empty.txt", "bytes=-1", 200}, {"/f.txt", "bytes=0-1", 206}} {
		if w := get(app, "GET", tt.path, "Range", tt.value); w.Code != tt.status {
			t.Errorf("%s %s: %d, want %d", tt.path, tt.value, w.Code, tt.status)
		}
	}
}

func TestTheRedirectToADirectoryKeepsTheQuery(t *testing.T) {
	app := nextrush.New()
	app.Register(static.FS("/", fstest.MapFS{"docs/index.html": {}, "sub/a b/index.html": {}}))
	for path, want := range map[string]string{
		"/docs":                   "./docs/",
		"/docs?":                  "./docs/",
		"/docs?code=1&x=a%2Fb":    "./docs/?code=1&x=a%2Fb",
		"/sub/a%20b?x":            "./a%20b/?x",
		"/docs?to=//evil.example": "./docs/?to=//evil.example",
	} {
		if w := get(app, "GET", path); w.Code != 301 || w.Header().Get("Location") != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Header().Get("Location"), want)
		}
	}
}

func TestNamesMayHaveAColon(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it names a stream of a file there")
	}
	app := nextrush.New()
	app.Register(static.FS("/", fstest.MapFS{"10:30.txt": {Data: []byte("t")}}))
	if w := get(app, "GET", "/10:30.txt"); w.Code != 200 || w.Body.String() != "t" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}
