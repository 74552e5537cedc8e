package content

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func get(header ...string) *http.Request {
	r := httptest.NewRequest("GET", "/", nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

// What http.ServeContent does not do of RFC 9110.
func TestServeKeepsToTheRFC(t *testing.T) {
	for name, tt := range map[string]struct {
		text   string
		header []string
		status int
		body   string
	}{
		"a part":               {"abc", []string{"Range", "bytes=1-1"}, 206, "b"},
		"another unit":         {"abc", []string{"Range", "lines=1-1"}, 200, "abc"},
		"the last 0 bytes":     {"abc", []string{"Range", "bytes=-0"}, 416, ""},
		"a part of nothing":    {"", []string{"Range", "bytes=0-0"}, 200, ""},
		"two lines of tags":    {"abc", []string{"If-None-Match", `"x"`, "If-None-Match", `"tag"`}, 304, ""},
		"two lines, no match":  {"abc", []string{"If-Match", `"x"`, "If-Match", `"y"`}, 412, ""},
		"the condition it has": {"abc", []string{"If-Match", `"x"`, "If-Match", `"tag"`}, 200, "abc"},
	} {
		w := httptest.NewRecorder()
		w.Header().Set("Etag", `"tag"`)
		r := get(tt.header...)
		Serve(w, r, "a.txt", time.Time{}, strings.NewReader(tt.text))
		if w.Code != tt.status || w.Code < 400 && w.Body.String() != tt.body {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
		if got := r.Header.Get(tt.header[0]); got != tt.header[1] {
			t.Errorf("%s: the request has changed: %q", name, got)
		}
	}
}

func TestTryLeavesRefusalsToTheCaller(t *testing.T) {
	for _, tt := range []struct {
		header []string
		status int
		tag    string
	}{
		{[]string{"Range", "bytes=9-"}, 416, ""},
		{[]string{"If-Match", `"x"`}, 412, `"tag"`},
	} {
		w := httptest.NewRecorder()
		h := w.Header()
		h.Set("Etag", `"tag"`)
		h.Set("Cache-Control", "public")
		status, kept := Try(w, get(tt.header...), "a.txt", time.Unix(1, 0), strings.NewReader("abc"))
		if status != tt.status || kept.Get("Etag") != tt.tag || h.Get("Cache-Control")+h.Get("Content-Type")+h.Get("Etag") != "" {
			t.Errorf("%q: %d, kept %v, left %v", tt.header, status, kept, h)
		}
		if w.Flushed || w.Body.Len() > 0 {
			t.Errorf("%q: answered %q", tt.header, w.Body)
		}
	}
	w := httptest.NewRecorder()
	if status, _ := Try(w, get(), "a.txt", time.Time{}, strings.NewReader("abc")); status != 0 || w.Body.String() != "abc" {
		t.Errorf("%d %q", status, w.Body)
	}
}

// tagger is a writer of middleware that gives tags.
type tagger struct {
	http.ResponseWriter
	tags int
}

func (w *tagger) Unwrap() http.ResponseWriter { return w.ResponseWriter }
func (w *tagger) Tag(io.ReadSeeker)           { w.tags++; w.Header().Set("Etag", `"given"`) }

func TestTheTagOfMiddlewareCountsForConditions(t *testing.T) {
	outer := &tagger{ResponseWriter: httptest.NewRecorder()}
	w := &writer{ResponseWriter: outer}
	Serve(w, get("If-None-Match", `"given"`), "a.txt", time.Time{}, strings.NewReader("abc"))
	if got := outer.ResponseWriter.(*httptest.ResponseRecorder).Code; got != 304 || outer.tags != 1 {
		t.Errorf("%d, %d tags", got, outer.tags)
	}
}

func TestDropRanges(t *testing.T) {
	many := "bytes=0-0" + strings.Repeat(",0-0", 1000)
	post := httptest.NewRequest("POST", "/", nil)
	post.Header.Set("Range", "bytes=0-0")
	for name, tt := range map[string]struct {
		r    *http.Request
		kept bool
	}{
		"one":             {get("Range", "bytes=0-0"), true},
		"none":            {get(), true},
		"many":            {get("Range", many), false},
		"of another verb": {post, false},
	} {
		before := tt.r.Header.Get("Range")
		got := DropRanges(tt.r)
		if kept := got == tt.r; kept != tt.kept || !kept && got.Header.Get("Range") != "" || tt.r.Header.Get("Range") != before {
			t.Errorf("%s: %q", name, got.Header.Get("Range"))
		}
	}
}

func TestOpenRefusesWhatIsNotTheProgramsFile(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	write := func(path string) {
		if err := os.WriteFile(path, []byte("abc"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "file"))
	write(filepath.Join(other, "secret"))
	for name, target := range map[string]string{"within": "file", "out": filepath.Join(other, "secret")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip("this system lets nobody link:", err)
		}
	}
	for name, want := range map[string]bool{"file": true, "within": true, "out": false, ".": false, "none": false} {
		f, info, err := Open(filepath.Join(dir, name))
		if (err == nil) != want {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			f.Close()
			if info.Size() != 3 {
				t.Errorf("%s: %d bytes", name, info.Size())
			}
		}
	}
	if _, _, err := Open(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory: %v", err)
	}
}

// A stream ends with its client, which is an error, and with the app, which is none.
func TestStreamEndsAReadThatWaits(t *testing.T) {
	for _, closing := range []bool{false, true} {
		r, w := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		client, app := ctx, t.Context()
		if closing {
			client, app = t.Context(), ctx
		}
		go func() {
			w.Write([]byte("abc"))
			cancel()
		}()
		var got strings.Builder
		err := Stream(client, app, &got, r)
		if got.String() != "abc" || closing != (err == nil) || !closing && !errors.Is(err, context.Canceled) {
			t.Errorf("closing %t: %q, %v", closing, got.String(), err)
		}
	}
}
