package nextrush

import (
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
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
