package static_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nextrush/nextrush/plugins/static"
)

func zipped(t *testing.T, name string, content []byte) fs.FS {
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: time.Unix(1e9, 0)})
	if err != nil {
		t.Fatal(err)
	}
	f.Write(content)
	w.Close()
	r, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestFilesOfAnArchiveAreServed(t *testing.T) {
	content := bytes.Repeat([]byte("0123456789"), 1000)
	for _, name := range []string{"a.txt", "sniffed"} {
		app := appWith(t, static.FS("/", zipped(t, name, content)))
		tag := get(app, "GET", "/"+name).Header().Get("ETag")
		for _, tt := range []struct {
			header, value string
			status        int
			body          []byte
		}{
			{"Accept", "*/*", 200, content},
			{"If-None-Match", tag, 304, nil},
			{"Range", "bytes=5000-5004", 206, content[5000:5005]},
			{"Range", "bytes=-5", 206, content[9995:]},
			{"Range", "bytes=9000-9004,0-4", 200, content},
			{"Range", "bytes=10000-", 416, nil},
		} {
			w := get(app, "GET", "/"+name, tt.header, tt.value)
			if w.Code != tt.status || tt.body != nil && !bytes.Equal(w.Body.Bytes(), tt.body) {
				t.Errorf("%s: %s %s: %d, %d bytes", name, tt.header, tt.value, w.Code, w.Body.Len())
			}
		}
		if w := get(app, "HEAD", "/"+name); w.Code != 200 || w.Header().Get("Content-Length") != fmt.Sprint(len(content)) {
			t.Errorf("%s: HEAD: %d %v", name, w.Code, w.Header())
		}
	}
}

// slow is a file system with one large file that cannot seek. Only a part of it can be
// read before the client has got some.
type slow struct {
	fstest.MapFS
	got    chan struct{} // closed when the client has the first byte
	closed chan struct{} // when the file is closed
	read   atomic.Int64
}

const slowSize = 1 << 30

type slowFile struct {
	fs.File
	*slow
}

type slowInfo struct{ fs.FileInfo }

func (slowInfo) Size() int64 { return slowSize }

func (s *slow) Stat(name string) (fs.FileInfo, error) {
	info, err := s.MapFS.Stat(name)
	return slowInfo{info}, err
}

func (s *slow) Open(name string) (fs.File, error) {
	f, err := s.MapFS.Open(name)
	return slowFile{f, s}, err
}

func (f slowFile) Stat() (fs.FileInfo, error) { return f.slow.Stat("large.pdf") }

func (f slowFile) Close() error {
	close(f.closed)
	return f.File.Close()
}

func (f slowFile) Read(p []byte) (int, error) {
	if f.read.Add(int64(len(p))) > 1<<20 {
		<-f.got
	}
	return len(p), nil
}

func TestALargeFileIsSentAsItIsReadAndNoFurther(t *testing.T) {
	files := &slow{MapFS: fstest.MapFS{"large.pdf": {ModTime: time.Unix(1e9, 0)}}, got: make(chan struct{}), closed: make(chan struct{})}
	srv := httptest.NewServer(appWith(t, static.FS("/", files)))
	defer srv.Close()
	res, err := http.Get(srv.URL + "/large.pdf")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(res.Body, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	res.Body.Close() // the client leaves
	close(files.got)
	<-files.closed
	if n := files.read.Load(); n > slowSize/4 {
		t.Errorf("%d bytes are read for a client that has left", n)
	}
}
