package static_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/static"
)

func TestAGuardStandsBeforeEachFile(t *testing.T) {
	fsys := fstest.MapFS{
		"index.html": {Data: []byte("root")}, "a.txt": {Data: []byte("a")}, "sub/index.html": {Data: []byte("sub")}, "a.txt.gz": {Data: []byte("gz")},
	}
	app := nextrush.New()
	app.Register(static.FS("/files", fsys, static.Options{
		SPA: true, Precompressed: true, Immutable: func(name string) bool { return name == "a.txt" },
		Guard: func(c *nextrush.Context) error {
			if c.Header("Authorization") == "" || c.Param("path") == "sub/" {
				return nextrush.NewError(401)
			}
			return c.Next()
		},
	}))
	for _, target := range []string{"/files", "/files/", "/files/a.txt", "/files/sub", "/files/sub/", "/files/nowhere", "/files/%61.txt"} {
		for _, method := range []string{"GET", "HEAD"} {
			if w := get(app, method, target, "Accept", "text/html", "Accept-Encoding", "gzip"); w.Code != 401 && w.Code != 308 {
				t.Errorf("%s %s: %d %q", method, target, w.Code, w.Body)
			}
		}
	}
	for target, want := range map[string]string{"/files/": "private, no-cache", "/files/a.txt": "private, max-age=31536000, immutable"} {
		w := get(app, "GET", target, "Authorization", "x")
		if got := w.Header().Get("Cache-Control"); w.Code != 200 || got != want {
			t.Errorf("%s: %d, Cache-Control %q", target, w.Code, got)
		}
	}
	if w := get(app, "GET", "/files/sub/", "Authorization", "x"); w.Code != 401 || strings.Contains(w.Body.String(), "sub") {
		t.Errorf("the guard has no say: %d %q", w.Code, w.Body)
	}
}
