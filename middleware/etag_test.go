package middleware_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// tagged serves a handler at / behind ETag with a limit of 16 bytes.
func tagged(h nextrush.Handler) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.ETag(middleware.ETagOptions{Limit: 16}))
	app.Any("/", h)
	return app
}

func text(s string) nextrush.Handler {
	return func(c *nextrush.Context) error { return c.Text(s) }
}

func TestETagAnswersConditionalRequests(t *testing.T) {
	app := tagged(text("0123456789"))
	tag := ask(app, "/").Header().Get("ETag")
	if len(tag) != 24 || tag[0] != '"' || tag == ask(tagged(text("0123456788")), "/").Header().Get("ETag") {
		t.Fatalf("tag %s", tag)
	}
	for name, test := range map[string]struct {
		header []string
		status int
		body   string
	}{
		"no condition":        {nil, 200, "0123456789"},
		"the same":            {[]string{"If-None-Match", tag}, 304, ""},
		"weak":                {[]string{"If-None-Match", "W/" + tag}, 304, ""},
		"in a list":           {[]string{"If-None-Match", `"a,b", ` + tag}, 304, ""},
		"any":                 {[]string{"If-None-Match", "*"}, 304, ""},
		"another":             {[]string{"If-None-Match", `"other"`}, 200, "0123456789"},
		"without quotes":      {[]string{"If-None-Match", strings.Trim(tag, `"`)}, 200, "0123456789"},
		"another is demanded": {[]string{"If-Match", `"other"`}, 412, `{"type":"about:blank","title":"Precondition Failed","status":412}`},
		"a range":             {[]string{"Range", "bytes=2-4"}, 206, "234"},
		"a range of the same": {[]string{"Range", "bytes=2-4", "If-Range", tag}, 206, "234"},
		"a range of another":  {[]string{"Range", "bytes=2-4", "If-Range", `"other"`}, 200, "0123456789"},
	} {
		w := ask(app, "/", test.header...)
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("ETag") != tag {
			t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
		}
		if w.Code == 304 && w.Header().Get("Content-Type") != "" {
			t.Errorf("%s: %v", name, w.Header())
		}
	}
}

func TestETagKnowsRanges(t *testing.T) {
	for value, want := range map[string]int{"items=0-1": 200, "bytes=-0": 416, "bytes=0-1": 206} {
		if w := ask(tagged(text("0123456789")), "/", "Range", value); w.Code != want {
			t.Errorf("%s: %d, want %d", value, w.Code, want)
		}
	}
	if w := ask(tagged(text("")), "/", "Range", "bytes=-1"); w.Code != 200 {
		t.Errorf("of nothing: %d", w.Code)
	}
}

func TestETagLetsThroughWhatItCannotTag(t *testing.T) {
	long := strings.Repeat("x", 17)
	for name, test := range map[string]struct {
		handler nextrush.Handler
		status  int
		body    string
	}{
		"another status": {func(c *nextrush.Context) error { return c.Status(201).Text("new") }, 201, "new"},
		"no content":     {func(c *nextrush.Context) error { return c.NoContent() }, 204, ""},
		"too large":      {text(long), 200, long},
		"large by and by": {func(c *nextrush.Context) error {
			for range 17 {
				io.WriteString(c.Writer(), "x")
			}
			return nil
		}, 200, long},
		"large by its header": {func(c *nextrush.Context) error {
			c.SetHeader("Content-Length", "17")
			return c.Text(long)
		}, 200, long},
		"a stream": {func(c *nextrush.Context) error { return c.Stream("text/plain", strings.NewReader(long)) }, 200, long},
		"flushed": {func(c *nextrush.Context) error {
			io.WriteString(c.Writer(), "a")
			err := http.NewResponseController(c.Writer()).Flush()
			io.WriteString(c.Writer(), "b")
			return err
		}, 200, "ab"},
		"not to be stored": {func(c *nextrush.Context) error { return c.NoCache().Text("secret") }, 200, "secret"},
		"nothing at all":   {func(c *nextrush.Context) error { return nil }, 200, ""},
	} {
		w := ask(tagged(test.handler), "/", "If-None-Match", "*")
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
		}
	}
	w := httptest.NewRecorder()
	tagged(text("posted")).ServeHTTP(w, httptest.NewRequest("POST", "/", nil))
	if w.Code != 200 || w.Body.String() != "posted" || w.Header().Get("ETag") != "" {
		t.Errorf("POST: %d %q %v", w.Code, w.Body, w.Header())
	}
}

func TestETagLooksAtAllLinesOfAList(t *testing.T) {
	app := tagged(func(c *nextrush.Context) error {
		return c.SetHeader("Cache-Control", "private").Append("Cache-Control", "no-store").Text("secret")
	})
	if w := ask(app, "/"); w.Header().Get("ETag") != "" {
		t.Errorf("what is not to be stored has a tag: %v", w.Header())
	}
	app = tagged(text("0123456789"))
	tag := ask(app, "/").Header().Get("ETag")
	for name, want := range map[string]int{"If-None-Match": 304, "If-Match": 200} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header[name] = []string{`"other"`, tag}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

func TestETagHoldsEventsNotBack(t *testing.T) {
	app := nextrush.New()
	app.Use(middleware.ETag())
	seen := make(chan struct{})
	app.Get("/", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error {
			if err := s.Send("first"); err != nil {
				return err
			}
			<-seen
			return nil
		})
	})
	srv := apptest.Serve(app)
	defer srv.Close()
	res, err := http.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, len("data: first"))
	if _, err := io.ReadFull(res.Body, first); err != nil || string(first) != "data: first" {
		t.Errorf("%q %v", first, err)
	}
	close(seen)
}

func TestETagOfHandlersAndFiles(t *testing.T) {
	app := tagged(func(c *nextrush.Context) error {
		return c.SetHeader("ETag", `"v7"`).Text("version 7")
	})
	if w := ask(app, "/", "If-None-Match", `"v7"`); w.Code != 304 || w.Body.Len() > 0 {
		t.Errorf("own tag: %d %q", w.Code, w.Body)
	}
	name := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(name, []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	app = tagged(func(c *nextrush.Context) error { return c.File(name) })
	tag := ask(app, "/").Header().Get("ETag")
	if w := ask(app, "/", "If-None-Match", tag); tag == "" || w.Code != 304 {
		t.Errorf("file: %d, tag %s", w.Code, tag)
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("HEAD", "/", nil))
	if w.Code != 200 || w.Header().Get("ETag") != tag || w.Header().Get("Content-Length") != "6" {
		t.Errorf("HEAD of a file: %d %v", w.Code, w.Header())
	}
	w = httptest.NewRecorder()
	tagged(text("hello")).ServeHTTP(w, httptest.NewRequest("HEAD", "/", nil))
	if w.Code != 200 || w.Header().Get("ETag") == "" || w.Header().Get("Content-Length") != "5" {
		t.Errorf("HEAD: %d %v", w.Code, w.Header())
	}
}

// RFC 9110 §13.2.2: conditions come before ranges; §15.4.5: a 304 has the ETag of the 200.
func TestETagOfAFileIsThereForItsConditions(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.txt")
	if err := os.WriteFile(name, []byte(long), 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	for order, use := range map[string][]nextrush.Handler{
		"ETag":           {middleware.ETag()},
		"Compress, ETag": {middleware.Compress(), middleware.ETag()},
		"ETag, Compress": {middleware.ETag(), middleware.Compress()},
	} {
		for _, accept := range []string{"identity", "gzip"} {
			app := nextrush.New()
			app.Use(use)
			app.Get("/", func(c *nextrush.Context) error { return c.File(name) })
			tag := ask(app, "/", "Accept-Encoding", accept).Header().Get("ETag")
			strong := strings.TrimPrefix(tag, "W/")
			for _, tt := range []struct {
				header []string
				status int
				tag    string
			}{
				{[]string{"If-None-Match", tag, "Range", "bytes=0-1"}, 304, tag},
				{[]string{"If-None-Match", `"other"`, "Range", "bytes=0-1"}, 206, strong},
				{[]string{"If-Modified-Since", later}, 304, tag},
				{[]string{"Range", "bytes=0-1", "If-Range", strong}, 206, strong},
				{[]string{"Range", "bytes=0-1", "If-Range", `"other"`}, 200, tag},
				{[]string{"If-Match", strong}, 200, tag},
				{[]string{"If-Match", `"other"`}, 412, strong},
			} {
				w := ask(app, "/", append(tt.header, "Accept-Encoding", accept)...)
				if got := w.Header().Get("ETag"); w.Code != tt.status || got != tt.tag || tag == "" {
					t.Errorf("%s, %s: %v: %d %s, want %d %s", order, accept, tt.header, w.Code, got, tt.status, tt.tag)
				}
			}
		}
	}
}

func TestETagDropsWhatWasHeldBackWhenTheHandlerFails(t *testing.T) {
	for name, h := range map[string]nextrush.Handler{
		"an error": func(c *nextrush.Context) error {
			c.Text("half")
			return errors.New("the other half is missing")
		},
		"a panic": func(c *nextrush.Context) error {
			c.Text("half")
			panic("the other half is missing")
		},
	} {
		w := ask(tagged(h), "/")
		if w.Code != 500 || strings.Contains(w.Body.String(), "half") || w.Header().Get("ETag") != "" {
			t.Errorf("%s: %d %q", name, w.Code, w.Body)
		}
	}
	w := ask(tagged(func(c *nextrush.Context) error {
		c.Text("kept")
		c.Writer().WriteHeader(500)
		return nil
	}), "/")
	if w.Code != 200 || w.Body.String() != "kept" {
		t.Errorf("second status: %d %q", w.Code, w.Body)
	}
}

func TestETagLetsSocketsUpgrade(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(middleware.ETag())
	app.WS("/echo", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.Send(m.Text()) })
		return nil
	})
	s := nextrushtest.New(t, app).Dial("/echo")
	s.Send("hi")
	s.Expect("hi")
}

func TestETagRefusesANegativeLimit(t *testing.T) {
	wantPanic(t, "negative", func() { middleware.ETag(middleware.ETagOptions{Limit: -1}) })
}

func ExampleETag() {
	app := nextrush.New()
	app.Use(middleware.ETag())
	app.Get("/", func(c *nextrush.Context) error { return c.JSON("a long report") })

	tag := ask(app, "/").Header().Get("ETag")
	fmt.Println(ask(app, "/", "If-None-Match", tag).Code)
	// Output: 304
}
