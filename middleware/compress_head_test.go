package middleware_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/static"
)

// answersOfAllKinds has a route for each way to answer.
func answersOfAllKinds(t *testing.T, use ...nextrush.Handler) *nextrush.App {
	file := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(file, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	app := nextrush.New()
	app.Use(use)
	changed := time.Unix(100, 0)
	app.Register(static.FS("/static", fstest.MapFS{
		"a.js": {Data: []byte(long), ModTime: changed}, "small.js": {Data: []byte("small"), ModTime: changed},
		"b.js": {Data: []byte(long), ModTime: changed}, "b.js.gz": {Data: []byte(long[:1500]), ModTime: changed},
		"image.png": {Data: []byte(long), ModTime: changed},
	}, static.Options{Precompressed: true}))
	tag := func(c *nextrush.Context) error { c.SetHeader("ETag", `"own"`); return c.Next() }
	for path, h := range map[string]nextrush.Handler{
		"/text":   text(long),
		"/small":  text("small"),
		"/longer": text(strings.Repeat(long, 1000)),
		"/json":   func(c *nextrush.Context) error { return c.JSON([]string{long}) },
		"/file":   func(c *nextrush.Context) error { return c.File(file) },
		"/stream": func(c *nextrush.Context) error { return c.Stream("text/plain", strings.NewReader(long)) },
		"/short":  func(c *nextrush.Context) error { return c.Stream("text/plain", strings.NewReader("short")) },
		"/sized": func(c *nextrush.Context) error { // without a type
			c.SetHeader("Content-Length", fmt.Sprint(len(long)))
			if c.Method() == http.MethodHead {
				return c.Status(200).NoContent()
			}
			_, err := io.WriteString(c.Writer(), long)
			return err
		},
		"/flushed": func(c *nextrush.Context) error {
			c.Type("txt")
			io.WriteString(c.Writer(), "first")
			if err := http.NewResponseController(c.Writer()).Flush(); err != nil {
				return err
			}
			_, err := io.WriteString(c.Writer(), long)
			return err
		},
		"/error":   func(c *nextrush.Context) error { return nextrush.NewError(409, long) },
		"/nothing": func(c *nextrush.Context) error { return c.Status(200).NoContent() },
		"/image":   func(c *nextrush.Context) error { return c.Type("png").Text(long) },
	} {
		app.Get(path, h)
		app.Get("/tagged"+path, tag, h)
	}
	return app
}

// RFC 9110 §8.6: a Content-Length of HEAD must be what GET sends; §9.3.2: the other
// fields may be left out where only the content tells them.
func TestHEADPromisesWhatGETSends(t *testing.T) {
	for name, use := range map[string][]nextrush.Handler{
		"Compress":         {middleware.Compress()},
		"Compress, ETag":   {middleware.Compress(), middleware.ETag()},
		"ETag, Compress":   {middleware.ETag(), middleware.Compress()},
		"ETag with limits": {middleware.ETag(middleware.ETagOptions{Limit: 64}), middleware.Compress()},
	} {
		srv := apptest.Serve(answersOfAllKinds(t, use...))
		for path := range strings.FieldsSeq("/text /small /longer /json /file /stream /short /sized /flushed /error /nothing /image " +
			"/tagged/text /tagged/small /tagged/longer /tagged/json /tagged/file /tagged/stream /tagged/short /tagged/sized /tagged/nothing " +
			"/static/a.js /static/small.js /static/b.js /static/image.png") {
			for _, accept := range []string{"identity", "gzip", "zstd"} {
				get, size := fetch(t, srv, "GET", path, accept)
				head, _ := fetch(t, srv, "HEAD", path, accept)
				if why := unlike(head, get, size); why != "" {
					t.Errorf("%s: %s %q: %s: %v, and %d bytes with %v", name, path, accept, why, head.Header, size, get.Header)
				}
			}
		}
		srv.Close()
	}
}

func fetch(t *testing.T, srv *apptest.Server, method, path, accept string) (*http.Response, int) {
	t.Helper()
	r, _ := http.NewRequest(method, srv.URL+path, nil)
	r.Header.Set("Accept-Encoding", accept)
	res, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil && path != "/flushed" {
		t.Fatal(err)
	}
	return res, len(body)
}

// unlike says what a HEAD promises that GET does not keep.
func unlike(head, get *http.Response, size int) string {
	has := func(name string) bool { return head.Header.Get(name) != "" }
	same := func(name string) bool { return head.Header.Get(name) == get.Header.Get(name) }
	weak := "W/" + strings.TrimPrefix(get.Header.Get("ETag"), "W/")
	switch {
	case head.StatusCode != get.StatusCode:
		return "status"
	case head.ContentLength >= 0 && head.ContentLength != int64(size):
		return "length"
	case has("ETag") && !same("ETag") && head.Header.Get("ETag") != weak:
		return "tag"
	case has("Content-Encoding") && !same("Content-Encoding"):
		return "encoding"
	case has("Accept-Ranges") && !same("Accept-Ranges"):
		return "ranges"
	case has("Content-Type") && !same("Content-Type"):
		return "type"
	case !same("Vary"):
		return "vary"
	}
	return ""
}

// A monitor asks for what it would get, and tells a change by it.
func TestHEADIsCompressedAsGET(t *testing.T) {
	for name, use := range map[string][]nextrush.Handler{
		"Compress": {middleware.Compress()}, "Compress, ETag": {middleware.Compress(), middleware.ETag()},
		"ETag, Compress": {middleware.ETag(), middleware.Compress()},
	} {
		srv := apptest.Serve(answersOfAllKinds(t, use...))
		for _, path := range []string{"/text", "/json", "/tagged/text"} {
			get, size := fetch(t, srv, "GET", path, "gzip")
			head, _ := fetch(t, srv, "HEAD", path, "gzip")
			if head.ContentLength != int64(size) || head.Header.Get("ETag") != get.Header.Get("ETag") || head.Header.Get("Content-Encoding") != "gzip" {
				t.Errorf("%s %s: %v, want %d bytes and %v", name, path, head.Header, size, get.Header)
			}
		}
		srv.Close()
	}
}

// endless never runs out.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestHEADEndsBehindWhatHoldsBack(t *testing.T) {
	for name, use := range map[string][]nextrush.Handler{
		"Compress": {middleware.Compress()}, "ETag": {middleware.ETag()},
		"Compress, ETag": {middleware.Compress(), middleware.ETag()}, "ETag, Compress": {middleware.ETag(), middleware.Compress()},
	} {
		app := nextrush.New()
		app.Use(use)
		var running sync.WaitGroup
		for path, h := range map[string]nextrush.Handler{
			"/stream": func(c *nextrush.Context) error { return c.Stream("text/plain", endless{}) },
			"/copy": func(c *nextrush.Context) error {
				_, err := io.Copy(c.Type("txt").Writer(), endless{})
				return err
			},
			"/events": func(c *nextrush.Context) error {
				return c.SSE(func(s *nextrush.SSE) error {
					for {
						if err := s.Send("tick"); err != nil {
							return err
						}
					}
				})
			},
		} {
			app.Get(path, func(c *nextrush.Context) error {
				running.Add(1)
				defer running.Done()
				return h(c)
			})
		}
		srv := apptest.Serve(app)
		for _, path := range []string{"/stream", "/copy", "/events"} {
			for _, accept := range []string{"identity", "gzip", "zstd"} {
				if head, _ := fetch(t, srv, "HEAD", path, accept); head.StatusCode != 200 || head.ContentLength >= 0 {
					t.Errorf("%s: %s, %s: %d %v", name, path, accept, head.StatusCode, head.Header)
				}
			}
		}
		running.Wait()
		srv.Close()
	}
}
