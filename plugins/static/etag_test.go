package static_test

import (
	"bytes"
	"context"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nextrush/nextrush/plugins/static"
)

// counted is a file system that counts how many bytes of its files are read.
type counted struct {
	fs.FS
	read *atomic.Int64
}

type countedFile struct {
	fs.File
	read *atomic.Int64
}

func (c counted) Open(name string) (fs.File, error) {
	f, err := c.FS.Open(name)
	return countedFile{f, c.read}, err
}

func (f countedFile) Read(p []byte) (int, error) {
	n, err := f.File.Read(p)
	f.read.Add(int64(n))
	return n, err
}

func (f countedFile) Seek(offset int64, whence int) (int64, error) {
	return f.File.(interface {
		Seek(int64, int) (int64, error)
	}).Seek(offset, whence)
}

// large is a file over 8 MiB.
var large = bytes.Repeat([]byte("0123456789abcdef"), 1<<20)

func TestRequestsAtOnceHashAFileOnce(t *testing.T) {
	changed := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		file *fstest.MapFile
		want int64 // bytes read
	}{
		"small":                {&fstest.MapFile{Data: large[:1<<20], ModTime: changed}, 1 << 20},
		"large":                {&fstest.MapFile{Data: large, ModTime: changed}, 0},
		"large, without times": {&fstest.MapFile{Data: large}, int64(len(large))},
	} {
		var read atomic.Int64
		app := appWith(t, static.FS("/", counted{fstest.MapFS{"file.bin": test.file}, &read}))
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				w := get(app, "HEAD", "/file.bin")
				tag := w.Header().Get("ETag")
				if w.Code != 200 || tag == "" || strings.HasPrefix(tag, "W/") != (test.want == 0) {
					t.Errorf("%s: %d %q", name, w.Code, tag)
				}
			})
		}
		wg.Wait()
		if read.Load() != test.want {
			t.Errorf("%s: %d bytes are read, want %d", name, read.Load(), test.want)
		}
	}
}

func TestALargeFileIsCachedByItsTime(t *testing.T) {
	dir := site(t)
	file := filepath.Join(dir, "large.bin")
	if err := os.WriteFile(file, large, 0o644); err != nil {
		t.Fatal(err)
	}
	app := appWith(t, static.New("/s", dir))
	first := get(app, "GET", "/s/large.bin")
	tag, changed := first.Header().Get("ETag"), first.Header().Get("Last-Modified")
	if w := get(app, "GET", "/s/large.bin", "If-None-Match", tag); w.Code != http.StatusNotModified {
		t.Errorf("If-None-Match: %d", w.Code)
	}
	// A weak tag says nothing of the bytes (RFC 9110 §13.1.5), a date does.
	if w := get(app, "GET", "/s/large.bin", "Range", "bytes=0-9", "If-Range", tag); w.Code != http.StatusOK {
		t.Errorf("If-Range with a weak tag: %d", w.Code)
	}
	if w := get(app, "GET", "/s/large.bin", "Range", "bytes=0-9", "If-Range", changed); w.Code != http.StatusPartialContent {
		t.Errorf("If-Range with the date: %d", w.Code)
	}
	later := time.Now().Add(time.Second)
	if err := os.Chtimes(file, later, later); err != nil {
		t.Fatal(err)
	}
	if w := get(app, "GET", "/s/large.bin", "If-None-Match", tag); w.Code != http.StatusOK {
		t.Errorf("after a change: %d", w.Code)
	}
}

// stuck is a file system whose files cannot be read until the test lets it go on.
type stuck struct {
	fstest.MapFS
	begun chan struct{}
	goOn  chan struct{}
}

type stuckFile struct {
	fs.File
	*stuck
}

func (s *stuck) Open(name string) (fs.File, error) {
	f, err := s.MapFS.Open(name)
	return stuckFile{f, s}, err
}

func (f stuckFile) Stat() (fs.FileInfo, error) { return f.File.Stat() }
func (f stuckFile) Close() error               { return f.File.Close() }

func (f stuckFile) Read(p []byte) (int, error) {
	select {
	case f.begun <- struct{}{}:
	default:
	}
	<-f.goOn
	return f.File.Read(p)
}

func TestAClientThatLeavesDoesNotWaitForAHash(t *testing.T) {
	files := &stuck{fstest.MapFS{"a.txt": {Data: []byte("text")}}, make(chan struct{}, 1), make(chan struct{})}
	app := appWith(t, static.FS("/", files))
	var first sync.WaitGroup
	first.Go(func() {
		if w := get(app, "GET", "/a.txt"); w.Code != 200 || w.Body.String() != "text" {
			t.Errorf("the first: %d %s", w.Code, w.Body)
		}
	})
	<-files.begun
	ctx, leave := context.WithCancel(t.Context())
	leave()
	app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/a.txt", nil).WithContext(ctx)) // ends
	close(files.goOn)
	first.Wait()
}
