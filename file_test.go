package nextrush

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRangesKeepToTheRFC(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"hundred": 100, "empty": 0} {
		if err := os.WriteFile(filepath.Join(dir, name), make([]byte, size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	app := New()
	app.Get("/hundred", func(c *Context) error { return c.File(filepath.Join(dir, "hundred")) })
	app.Get("/empty", func(c *Context) error { return c.File(filepath.Join(dir, "empty")) })
	for _, tt := range []struct {
		path, value string
		status      int
		contents    string // Content-Range
	}{
		{"/hundred", "items=0-1", 200, ""},
		{"/hundred", "items=0-1, bytes=0-1", 200, ""},
		{"/hundred", "0-1", 200, ""},
		{"/hundred", "bytes=-0", 416, "bytes */100"},
		{"/hundred", "bytes= -000 ", 416, "bytes */100"},
		{"/hundred", "bytes=-0,0-1", 206, "bytes 0-1/100"},
		{"/hundred", "bytes=-1", 206, "bytes 99-99/100"},
		{"/hundred", "bytes=-00010", 206, "bytes 90-99/100"},
		{"/hundred", "bytes=-200", 206, "bytes 0-99/100"},
		{"/hundred", "bytes=0-0", 206, "bytes 0-0/100"},
		{"/hundred", "bytes=100-", 416, "bytes */100"},
		{"/hundred", "bytes=-", 416, ""},
		{"/empty", "bytes=-1", 200, ""},
		{"/empty", "bytes=0-", 200, ""},
		{"/empty", "bytes=-0", 200, ""},
	} {
		r := httptest.NewRequest("GET", tt.path, nil)
		r.Header.Set("Range", tt.value)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if got := w.Header().Get("Content-Range"); w.Code != tt.status || got != tt.contents {
			t.Errorf("%s %s: %d %q, want %d %q", tt.path, tt.value, w.Code, got, tt.status, tt.contents)
		}
		if r.Header.Get("Range") != tt.value {
			t.Errorf("%s %s: the request was changed", tt.path, tt.value)
		}
	}
}

// What http.ServeContent refuses is answered by the error handler.
func TestContentIsRefusedByTheErrorHandler(t *testing.T) {
	for name, handler := range map[string]func(*Context, error){
		"default": nil,
		"own":     func(c *Context, err error) { c.Status(StatusOf(err)).JSON(AsHTTPError(err).Message) },
	} {
		app := New(Options{ErrorHandler: handler})
		app.Get("/", func(c *Context) error {
			c.SetHeader("Content-Encoding", "gzip").SetHeader("ETag", `"a"`).SetHeader("Cache-Control", "max-age=1")
			err := c.ServeContent("a.txt", time.Unix(100, 0), strings.NewReader("0123456789"))
			if (err == nil) == (c.StatusCode() == 0) {
				t.Errorf("%s: error %v, status %d", name, err, c.StatusCode())
			}
			return err
		})
		for _, tt := range []struct {
			header, value string
			status        int
			contents      string
		}{
			{"Range", "bytes=10-", 416, "bytes */10"},
			{"Range", "bytes=-0", 416, "bytes */10"},
			{"Range", "bytes=x", 416, ""},
			{"If-Match", `"b"`, 412, ""},
			{"If-Unmodified-Since", "Thu, 01 Jan 1970 00:00:00 GMT", 412, ""},
			{"If-None-Match", `"a"`, 304, ""},
			{"Range", "bytes=1-2", 206, "bytes 1-2/10"},
			{"Accept", "*/*", 200, ""},
		} {
			r := httptest.NewRequest("GET", "/", nil)
			r.Header.Set(tt.header, tt.value)
			w := httptest.NewRecorder()
			app.ServeHTTP(w, r)
			h := w.Header()
			if w.Code != tt.status || h.Get("Content-Range") != tt.contents {
				t.Errorf("%s: %s %s: %d %v", name, tt.header, tt.value, w.Code, h)
			}
			refused := w.Code >= 400
			if refused && (!strings.Contains(h.Get("Content-Type"), "json") || h.Get("Content-Encoding") != "" || h.Get("Last-Modified") != "" || w.Body.Len() == 0) {
				t.Errorf("%s: %s %s: %v %s", name, tt.header, tt.value, h, w.Body)
			}
			if !refused && (h.Get("Content-Encoding") != "gzip" && w.Code != 304 || h.Get("ETag") != `"a"`) {
				t.Errorf("%s: %s %s: %v", name, tt.header, tt.value, h)
			}
		}
	}
}

// Ranges are of GET alone (RFC 9110 §14.2).
func TestHEADHasNoRange(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error { return c.ServeContent("a.txt", time.Time{}, strings.NewReader("0123456789")) })
	for _, value := range []string{"bytes=0-1", "bytes=-0", "bytes=x"} {
		r := httptest.NewRequest("HEAD", "/", nil)
		r.Header.Set("Range", value)
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != 200 || w.Header().Get("Content-Length") != "10" {
			t.Errorf("%s: %d %v", value, w.Code, w.Header())
		}
	}
}
