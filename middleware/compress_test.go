package middleware_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

var long = strings.Repeat("0123456789", 200)

func compressing(h nextrush.Handler) *nextrush.App {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Compress())
	app.Any("/", h)
	return app
}

// decode undoes a Content-Encoding.
func decode(t *testing.T, encoding string, body io.Reader) string {
	t.Helper()
	var err error
	switch encoding {
	case "gzip":
		body, err = gzip.NewReader(body)
	case "zstd":
		var d *zstd.Decoder
		d, err = zstd.NewReader(body, zstd.WithDecoderConcurrency(1))
		body = d
	}
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestCompressNegotiates(t *testing.T) {
	app := compressing(text(long))
	for accept, want := range map[string]string{
		"":                                   "",
		"gzip":                               "gzip",
		"x-gzip":                             "gzip",
		"GZIP":                               "gzip",
		"zstd":                               "zstd",
		"gzip, deflate, br, zstd":            "zstd",
		"gzip;q=1, zstd;q=0.5":               "gzip",
		"gzip;q=0":                           "",
		"gzip;q=0, *":                        "zstd",
		"*;q=0":                              "",
		"zstd;q=0, *;q=0.5":                  "gzip",
		"identity, gzip;q=0.5":               "",
		"identity;q=0.5, gzip ; q=0.8":       "gzip",
		"gzip;q=NaN":                         "",
		"gzip;q=2":                           "",
		"br":                                 "",
		strings.Repeat("br,", 1000) + "gzip": "",
	} {
		w := ask(app, "/", "Accept-Encoding", accept)
		got := w.Header().Get("Content-Encoding")
		if got != want || w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%.40q: %v", accept, w.Header())
		}
		if decode(t, got, w.Body) != long {
			t.Errorf("%.40q: the body is another", accept)
		}
	}
}

func TestCompressLeavesAlone(t *testing.T) {
	with := func(name, value string) nextrush.Handler {
		return func(c *nextrush.Context) error { return c.SetHeader(name, value).Text(long) }
	}
	status := func(code int) nextrush.Handler {
		return func(c *nextrush.Context) error { return c.Status(code).Text(long) }
	}
	for name, h := range map[string]nextrush.Handler{
		"small":  text("small"),
		"images": with("Content-Type", "image/png"),
		"unknown": func(c *nextrush.Context) error {
			_, err := c.Writer().Write([]byte("\x89PNG\r\n\x1a\n" + long))
			return err
		},
		"ranges":        status(206),
		"content range": with("Content-Range", "bytes 0-1/2"),
		"no-transform":  with("Cache-Control", "public, No-Transform"),
		"no content":    func(c *nextrush.Context) error { return c.NoContent() },
		"not modified":  func(c *nextrush.Context) error { return c.Status(304).NoContent() },
	} {
		app := compressing(h)
		plain, w := ask(app, "/"), ask(app, "/", "Accept-Encoding", "gzip, zstd")
		if w.Header().Get("Content-Encoding") != "" || w.Code != plain.Code || !bytes.Equal(w.Body.Bytes(), plain.Body.Bytes()) {
			t.Errorf("%s: %d %v", name, w.Code, w.Header())
		}
		if w.Header().Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: Vary %q", name, w.Header().Get("Vary"))
		}
	}
	w := ask(compressing(with("Content-Encoding", "br")), "/", "Accept-Encoding", "gzip")
	if w.Header().Get("Content-Encoding") != "br" || w.Body.String() != long {
		t.Errorf("encoded already: %v", w.Header())
	}
}

// A cache finds what a 304 is about by its tag, which has to be the one that it got.
func TestCompressTagsWhatIsNotModifiedAlike(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.Compress(), middleware.ETag())
	app.Get("/", text(long))
	tag := ask(app, "/", "Accept-Encoding", "gzip").Header().Get("ETag")
	w := ask(app, "/", "Accept-Encoding", "gzip", "If-None-Match", tag)
	if got := w.Header().Get("ETag"); w.Code != 304 || got != tag || !strings.HasPrefix(tag, "W/") {
		t.Errorf("%d with %s for %s", w.Code, got, tag)
	}
}

func TestCompressAdjustsTheHeader(t *testing.T) {
	for tag, want := range map[string]string{`"a"`: `W/"a"`, `W/"a"`: `W/"a"`} {
		w := ask(compressing(func(c *nextrush.Context) error {
			c.SetHeader("ETag", tag).SetHeader("Content-Length", fmt.Sprint(len(long))).SetHeader("Accept-Ranges", "bytes")
			_, err := io.WriteString(c.Status(201).Writer(), long) // without a type
			return err
		}), "/", "Accept-Encoding", "gzip")
		h := w.Header()
		if h.Get("ETag") != want || h.Get("Content-Length") != "" || h.Get("Accept-Ranges") != "" || h.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("header %v", h)
		}
	}
}

func TestCompressLeavesErrorsWhole(t *testing.T) {
	w := ask(compressing(func(c *nextrush.Context) error {
		c.Text("half an answer")
		return errors.New("no")
	}), "/", "Accept-Encoding", "gzip")
	if w.Code != 500 || strings.Contains(w.Body.String(), "half") || w.Header().Get("Content-Encoding") != "" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

func TestCompressStreamsEvents(t *testing.T) {
	for _, encoding := range []string{"gzip", "zstd"} {
		seen := make(chan struct{})
		app := compressing(func(c *nextrush.Context) error {
			return c.SSE(func(s *nextrush.SSE) error {
				if err := s.Send("first"); err != nil {
					return err
				}
				<-seen
				return s.Send("second")
			})
		})
		r, w := io.Pipe()
		header := make(http.Header)
		go func() {
			req, _ := http.NewRequest("GET", "/", nil)
			req.Header.Set("Accept-Encoding", encoding)
			app.ServeHTTP(pipeWriter{header, w}, req)
			w.Close()
		}()
		body := decoder(t, encoding, r)
		first := make([]byte, len("data: first\n\n"))
		if _, err := io.ReadFull(body, first); err != nil || string(first) != "data: first\n\n" {
			t.Fatalf("%s: %q %v", encoding, first, err)
		}
		close(seen)
		rest, err := io.ReadAll(body)
		if err != nil || string(rest) != "data: second\n\n" || header.Get("Content-Encoding") != encoding {
			t.Errorf("%s: %q %v %v", encoding, rest, err, header)
		}
	}
}

func decoder(t *testing.T, encoding string, r io.Reader) io.Reader {
	t.Helper()
	if encoding == "gzip" {
		d, err := gzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// pipeWriter is a response whose body can be read while it is written.
type pipeWriter struct {
	header http.Header
	io.Writer
}

func (w pipeWriter) Header() http.Header { return w.header }
func (w pipeWriter) WriteHeader(int)     {}
func (w pipeWriter) Flush()              {}

func TestCompressLetsSocketsThrough(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(middleware.Compress())
	app.WS("/", func(s *websocket.Socket, c *nextrush.Context) error { return s.Send("hi") })
	nextrushtest.New(t, app).Dial("/", &websocket.DialOptions{Header: http.Header{"Accept-Encoding": {"gzip"}}}).Expect("hi")
}

func TestCompressKeepsAnswersApart(t *testing.T) {
	var late sync.Map // writers that handlers keep beyond their request
	app := compressing(func(c *nextrush.Context) error {
		late.Store(c.Query("n"), c.Writer())
		return c.Text(strings.Repeat(c.Query("n")+",", 1000))
	})
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			n := fmt.Sprint(i)
			encoding := []string{"gzip", "zstd"}[i%2]
			w := ask(app, "/?n="+n, "Accept-Encoding", encoding)
			if decode(t, encoding, w.Body) != strings.Repeat(n+",", 1000) {
				t.Errorf("%s: another's answer", n)
			}
			kept, _ := late.Load(n)
			if _, err := kept.(http.ResponseWriter).Write([]byte(long)); err == nil {
				t.Error("a late write was taken")
			}
		})
	}
	wg.Wait()
}

func ExampleCompress() {
	app := nextrush.New()
	app.Use(middleware.Compress())
	app.Get("/", func(c *nextrush.Context) error { return c.Text(strings.Repeat("hello ", 1000)) })
	w := ask(app, "/", "Accept-Encoding", "gzip")
	fmt.Println(w.Header().Get("Content-Encoding"), w.Body.Len() < 100)
	// Output: gzip true
}
