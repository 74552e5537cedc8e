package static_test

import (
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nextrush/nextrush/plugins/static"
)

var bundle = fstest.MapFS{
	"app-1a2b.js":     {Data: []byte("plain script"), ModTime: time.Unix(100, 0)},
	"app-1a2b.js.gz":  {Data: []byte("gzipped"), ModTime: time.Unix(100, 0)},
	"app-1a2b.js.zst": {Data: []byte("zstandard"), ModTime: time.Unix(200, 0)},
	"old.css":         {Data: []byte("plain style"), ModTime: time.Unix(100, 0)},
	"old.css.gz":      {Data: []byte("gzipped"), ModTime: time.Unix(99, 0)},
	"data":            {Data: []byte("plain data"), ModTime: time.Unix(100, 0)},
	"data.gz":         {Data: []byte("<html>gz"), ModTime: time.Unix(100, 0)},
	"alone.txt":       {Data: []byte("alone"), ModTime: time.Unix(100, 0)},
}

func TestCompressedFilesAreSentToClientsThatAcceptThem(t *testing.T) {
	app := appWith(t, static.FS("/", bundle, static.Options{Precompressed: true}))
	for _, tt := range []struct {
		name, accept, body, encoding, contentType, vary string
	}{
		{"/app-1a2b.js", "gzip, zstd", "zstandard", "zstd", "text/javascript", "Accept-Encoding"},
		{"/app-1a2b.js", "gzip", "gzipped", "gzip", "text/javascript", "Accept-Encoding"},
		{"/app-1a2b.js", "zstd;q=0.1, gzip", "gzipped", "gzip", "text/javascript", "Accept-Encoding"},
		{"/app-1a2b.js", "", "plain script", "", "text/javascript", "Accept-Encoding"},
		{"/app-1a2b.js", "br", "plain script", "", "text/javascript", "Accept-Encoding"},
		{"/old.css", "gzip", "plain style", "", "text/css", ""},
		{"/data", "gzip", "<html>gz", "gzip", "application/octet-stream", "Accept-Encoding"},
		{"/alone.txt", "gzip", "alone", "", "text/plain", ""},
	} {
		w := get(app, "GET", tt.name, "Accept-Encoding", tt.accept)
		h := w.Header()
		if w.Body.String() != tt.body || h.Get("Content-Encoding") != tt.encoding || h.Get("Vary") != tt.vary ||
			!strings.HasPrefix(h.Get("Content-Type"), tt.contentType) {
			t.Errorf("%s for %q: %q, %v", tt.name, tt.accept, w.Body, h)
		}
		if tt.encoding != "" && h.Get("Content-Length") == "" {
			t.Errorf("%s for %q: no length", tt.name, tt.accept)
		}
	}
}

func TestEachEncodingHasItsOwnETag(t *testing.T) {
	app := appWith(t, static.FS("/", bundle, static.Options{Precompressed: true}))
	plain, packed := get(app, "GET", "/app-1a2b.js"), get(app, "GET", "/app-1a2b.js", "Accept-Encoding", "gzip")
	tag := packed.Header().Get("ETag")
	if tag == plain.Header().Get("ETag") {
		t.Fatalf("both have %s", tag)
	}
	if w := get(app, "GET", "/app-1a2b.js", "Accept-Encoding", "gzip", "If-None-Match", tag); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("the compressed file's tag: %d", w.Code)
	}
	if w := get(app, "GET", "/app-1a2b.js", "If-None-Match", tag); w.Code != 200 {
		t.Errorf("the compressed file's tag for the plain one: %d", w.Code)
	}
}

func TestRangesAreOfWhatIsSent(t *testing.T) {
	app := appWith(t, static.FS("/", bundle, static.Options{Precompressed: true}))
	w := get(app, "GET", "/app-1a2b.js", "Accept-Encoding", "gzip", "Range", "bytes=0-3")
	if h := w.Header(); w.Code != 206 || w.Body.String() != "gzip" || h.Get("Content-Range") != "bytes 0-3/7" || h.Get("Content-Length") != "4" {
		t.Errorf("%d %q %v", w.Code, w.Body, h)
	}
}

// With a length but no content, the client would wait for the content.
func TestAnswersWithoutContentAnnounceNone(t *testing.T) {
	app := appWith(t, static.FS("/", bundle, static.Options{Precompressed: true}))
	for header, value := range map[string]string{
		"If-Match": `"other"`, "If-Unmodified-Since": time.Unix(0, 0).UTC().Format(http.TimeFormat),
	} {
		w := get(app, "GET", "/app-1a2b.js", "Accept-Encoding", "gzip", header, value)
		if h := w.Header(); w.Code != 412 || h.Get("Content-Length") != "" || h.Get("Content-Encoding") != "" {
			t.Errorf("%s: %d %v", header, w.Code, h)
		}
	}
}

func TestImmutableFilesAreKeptForAYear(t *testing.T) {
	app := appWith(t, static.FS("/", bundle, static.Options{
		Immutable: func(name string) bool { return strings.HasPrefix(name, "app-") },
	}))
	for name, want := range map[string]string{
		"/app-1a2b.js": "public, max-age=31536000, immutable",
		"/alone.txt":   "no-cache",
	} {
		if got := get(app, "GET", name).Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
