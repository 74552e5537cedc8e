package static_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/static"
)

// site is a directory with public files, hidden ones, and a way out.
func site(t *testing.T) string {
	t.Helper()
	base := t.TempDir()
	dir := filepath.Join(base, "public")
	for name, content := range map[string]string{
		"secret.txt": "secret", "public/index.html": "<h1>home</h1>", "public/a.txt": "0123456789",
		"public/.env": "secret", "public/sub/index.html": "sub", "public/sub/.git/config": "secret", "public/empty/x": "x",
	} {
		file := filepath.Join(base, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(filepath.Join(base, "secret.txt"), filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func get(app http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/", nil)
	if u, err := url.ParseRequestURI(path); err == nil {
		r.URL = u
	} else {
		r.URL.Path = path
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestFilesRangesAndConditions(t *testing.T) {
	app := nextrush.New()
	app.Register(static.New("/assets", site(t), static.Options{CacheControl: "public, max-age=60"}))
	w := get(app, "/assets/a.txt")
	if w.Code != 200 || w.Body.String() != "0123456789" || w.Header().Get("Cache-Control") == "" {
		t.Fatalf("got %d %q", w.Code, w.Body)
	}
	etag := w.Header().Get("ETag")
	if w := get(app, "/assets/a.txt", "If-None-Match", etag); w.Code != http.StatusNotModified {
		t.Errorf("same ETag: got %d", w.Code)
	}
	if w := get(app, "/assets/a.txt", "Range", "bytes=2-4"); w.Code != 206 || w.Body.String() != "234" {
		t.Errorf("range: got %d %q", w.Code, w.Body)
	}
	for _, path := range []string{"/assets", "/assets/", "/assets/sub/"} {
		if w := get(app, path); w.Code != 200 {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
}

func TestNothingOutsideHiddenOrListed(t *testing.T) {
	app := nextrush.New()
	app.Register(static.New("/", site(t)))
	for _, path := range []string{
		"/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/..%5csecret.txt", "/sub/../../secret.txt",
		"/sub/..%2f..%2fsecret.txt", "/link.txt", "/.env", "/sub/.git/config", "/C:/secret.txt", "/a.txt%00", "/empty/", "/sub",
	} {
		w := get(app, path)
		if w.Code == http.StatusOK {
			t.Errorf("%s: got 200 %q", path, w.Body)
		}
	}
}

func TestSPAAnswersPagesButNotAssets(t *testing.T) {
	app := nextrush.New()
	app.Register(static.FS("/", fstest.MapFS{"index.html": {Data: []byte("app")}}, static.Options{SPA: true}))
	html := []string{"Accept", "text/html,*/*;q=0.8"}
	if w := get(app, "/users/7", html...); w.Code != 200 || w.Body.String() != "app" {
		t.Errorf("page: got %d %q", w.Code, w.Body)
	}
	if w := get(app, "/missing.js", html...); w.Code != 404 {
		t.Errorf("asset: got %d", w.Code)
	}
	if w := get(app, "/users/7", "Accept", "application/json"); w.Code != 404 {
		t.Errorf("API: got %d", w.Code)
	}
}

func TestMissingDirectoryIsAMistakeAtSetUp(t *testing.T) {
	if err := nextrush.New().Register(static.New("/", filepath.Join(t.TempDir(), "nothing"))); err == nil {
		t.Error("no error")
	}
}

func Example() {
	app := nextrush.New()
	app.Register(static.FS("/assets", fstest.MapFS{"a.txt": {Data: []byte("hello")}}))
}
