package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// counting answers with how often it has run.
type counting struct {
	runs atomic.Int32
	set  func(c *nextrush.Context)
}

func (h *counting) answer(c *nextrush.Context) error {
	n := h.runs.Add(1)
	if h.set != nil {
		h.set(c)
	}
	return c.Text(fmt.Sprint("run ", n))
}

func cached(o middleware.CacheOptions, h nextrush.Handler) *nextrush.App {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.RequestID(), middleware.Cache(o))
	app.Any("/*path", h)
	return app
}

// call sends a request with pairs of header names and values.
func call(app http.Handler, method, target string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

func TestCacheKeepsWhatASharedCacheMay(t *testing.T) {
	control := func(value string) func(c *nextrush.Context) {
		return func(c *nextrush.Context) { c.SetHeader("Cache-Control", value) }
	}
	and := func(value, name, text string) func(c *nextrush.Context) {
		return func(c *nextrush.Context) { control(value)(c); c.SetHeader(name, text) }
	}
	for name, test := range map[string]struct {
		set    func(c *nextrush.Context)
		header []string // of the requests
		kept   bool
	}{
		"max-age":  {set: control("max-age=60"), kept: true},
		"public":   {set: control("public, max-age=60"), kept: true},
		"quoted":   {set: control(`Max-Age="60"`), kept: true},
		"s-maxage": {set: control("max-age=0, s-maxage=60"), kept: true},
		"Expires": {set: func(c *nextrush.Context) {
			c.SetHeader("Expires", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
		}, kept: true},
		"nothing":             {},
		"no lifetime":         {set: control("public")},
		"nonsense":            {set: control("max-age=soon")},
		"negative":            {set: control("max-age=-60")},
		"twice":               {set: control("max-age=60, max-age=0")},
		"only others may not": {set: control("s-maxage=0, max-age=60")},
		"expired":             {set: and("", "Expires", "0")},
		"old already":         {set: and("max-age=60", "Age", "61")},
		"no-store":            {set: control("no-store, max-age=60")},
		"no-cache":            {set: control(`no-cache="Set-Cookie", max-age=60`)},
		"private":             {set: control("private, max-age=60")},
		"a cookie":            {set: and("max-age=60", "Set-Cookie", "a=b")},
		"depends on all":      {set: and("max-age=60", "Vary", "*")},
		"authorized":          {set: control("public, max-age=60"), header: []string{"Authorization", "Bearer x"}},
		"the client's wish":   {set: control("max-age=60"), header: []string{"Cache-Control", "no-cache"}, kept: true},
		"status 206":          {set: func(c *nextrush.Context) { control("max-age=60")(c); c.Status(206) }},
		"status 302":          {set: func(c *nextrush.Context) { control("max-age=60")(c); c.Status(302) }},
		"status 404":          {set: func(c *nextrush.Context) { control("max-age=60")(c); c.Status(404) }, kept: true},
		"status 500":          {set: func(c *nextrush.Context) { control("max-age=60")(c); c.Status(500) }},
		"no text of UTF-8":    {set: and("max-age=60", "X-Name", "caf\xe9")},
	} {
		h := &counting{set: test.set}
		app := cached(middleware.CacheOptions{}, h.answer)
		first, second := call(app, "GET", "/a?b", test.header...), call(app, "GET", "/a?b", test.header...)
		if kept := h.runs.Load() == 1; kept != test.kept {
			t.Errorf("%s: kept %t", name, kept)
		}
		if test.kept && (second.Body.String() != "run 1" || second.Code != first.Code || second.Header().Get("Cache-Status") != "nextrush; hit") {
			t.Errorf("%s: %d %q %v", name, second.Code, second.Body, second.Header())
		}
		if first.Body.String() != "run 1" {
			t.Errorf("%s: %q", name, first.Body)
		}
	}
}

func TestCacheKeepsAnswersApart(t *testing.T) {
	h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour).Vary("Accept-Language", "Cookie") }}
	app := cached(middleware.CacheOptions{}, h.answer)
	seen := map[string]string{}
	for range 2 {
		for _, request := range [][]string{
			{"/a"}, {"/b"}, {"/a?x"}, {"/a?y"}, {"/A"}, {"/a%2Fb"}, {"/a/b"}, {"http://other.example/a"},
			{"/a", "Accept-Language", "de"}, {"/a", "Accept-Language", "en"}, {"/a", "Cookie", "de"}, {"/a", "Cookie", "a=1", "Accept-Language", "de"},
		} {
			got := call(app, "GET", request[0], request[1:]...).Body.String()
			name := fmt.Sprint(request)
			for other, text := range seen {
				if (other == name) != (text == got) {
					t.Errorf("%s gets %q, and %s %q", name, got, other, text)
				}
			}
			seen[name] = got
		}
	}
	if n := h.runs.Load(); int(n) != len(seen) {
		t.Errorf("%d runs for %d answers", n, len(seen))
	}
	if got := call(app, "GET", "/a", "Accept-Encoding", "br").Body.String(); got != seen["[/a]"] {
		t.Errorf("what it does not depend on counts: %q", got)
	}
}

func TestCacheKeepsTheHeaderOfTheHandlersAlone(t *testing.T) {
	h := &counting{set: func(c *nextrush.Context) {
		c.CacheFor(time.Hour).SetHeader("X-Handler", "1").SetHeader("Connection", "close")
	}}
	app := cached(middleware.CacheOptions{}, h.answer)
	first, second := call(app, "GET", "/"), call(app, "GET", "/")
	if second.Header().Get("X-Handler") != "1" || second.Header().Get("Content-Type") != "text/plain; charset=utf-8" || second.Header().Get("Connection") != "" {
		t.Errorf("%v", second.Header())
	}
	if a, b := first.Header().Get("X-Request-Id"), second.Header().Get("X-Request-Id"); a == b || b == "" {
		t.Errorf("ids %q, %q", a, b)
	}
}

func TestCacheAnswersConditionsRangesAndHEAD(t *testing.T) {
	h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour).SetHeader("ETag", `"x"`) }}
	app := cached(middleware.CacheOptions{}, func(c *nextrush.Context) error {
		if c.Header("If-None-Match") != "" {
			return c.Status(304).NoContent()
		}
		return h.answer(c)
	})
	if w := call(app, "GET", "/", "Range", "bytes=0-1"); w.Body.String() != "run 1" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := call(app, "HEAD", "/"); w.Code != 200 || h.runs.Load() != 2 {
		t.Errorf("HEAD is kept: %d, %d runs", w.Code, h.runs.Load())
	}
	call(app, "GET", "/")
	for _, test := range []struct {
		method string
		header []string
		status int
		body   string
	}{
		{"GET", nil, 200, "run 3"},
		{"HEAD", nil, 200, ""},
		{"GET", []string{"If-None-Match", `"x"`}, 304, ""},
		{"GET", []string{"If-None-Match", `"y"`}, 200, "run 3"},
		{"GET", []string{"Range", "bytes=0-2"}, 206, "run"},
	} {
		if w := call(app, test.method, "/", test.header...); w.Code != test.status || w.Body.String() != test.body {
			t.Errorf("%s %v: %d %q", test.method, test.header, w.Code, w.Body)
		}
	}
	if w := call(app, "GET", "/new", "If-None-Match", `"x"`); w.Code != 304 || h.runs.Load() != 4 {
		t.Errorf("a condition keeps the cache from being filled: %d, %d runs", w.Code, h.runs.Load())
	}
	if call(app, "GET", "/new"); h.runs.Load() != 4 {
		t.Error("not kept")
	}
}

func TestCacheForgetsWhatWasChanged(t *testing.T) {
	h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour) }}
	app := cached(middleware.CacheOptions{}, func(c *nextrush.Context) error {
		if c.Query("fail") != "" && c.Method() != "GET" {
			return nextrush.NewError(422)
		}
		return h.answer(c)
	})
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
		before := call(app, "GET", "/a").Body.String()
		call(app, method, "/b")
		call(app, method, "/a?fail=1")
		if got := call(app, "GET", "/a").Body.String(); got != before {
			t.Errorf("another's %s changes it", method)
		}
		call(app, method, "/a")
		if got := call(app, "GET", "/a").Body.String(); got == before {
			t.Errorf("after %s the old one is given", method)
		}
	}
}

func TestCacheLetsTheOldGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Minute) }}
		app := cached(middleware.CacheOptions{}, h.answer)
		call(app, "GET", "/")
		time.Sleep(59 * time.Second)
		if w := call(app, "GET", "/"); w.Body.String() != "run 1" || w.Header().Get("Age") != "59" {
			t.Errorf("%q, age %s", w.Body, w.Header().Get("Age"))
		}
		time.Sleep(time.Second)
		if w := call(app, "GET", "/"); w.Body.String() != "run 2" || w.Header().Get("Age") != "" {
			t.Errorf("%q, age %s", w.Body, w.Header().Get("Age"))
		}
	})
}

func TestCacheFetchesOnceForMany(t *testing.T) {
	for name, test := range map[string]struct {
		control string
		runs    int32
	}{
		"one to keep":     {"max-age=60", 1},
		"one not to keep": {"no-store", 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &counting{set: func(c *nextrush.Context) {
				time.Sleep(time.Second)
				c.SetHeader("Cache-Control", test.control)
			}}
			app := cached(middleware.CacheOptions{}, h.answer)
			start := time.Now()
			var wg sync.WaitGroup
			for range 100 {
				wg.Go(func() {
					if w := call(app, "GET", "/"); w.Code != 200 {
						t.Errorf("%s: %d", name, w.Code)
					}
				})
			}
			wg.Wait()
			if n := h.runs.Load(); n != test.runs {
				t.Errorf("%s: %d runs", name, n)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("%s: %v", name, took)
			}
		})
	}
}

// The one that fetches fails, and the others help themselves.
func TestCacheOutlivesAFetchThatFails(t *testing.T) {
	for name, fail := range map[string]func() error{
		"an error": func() error { return errors.New("no") },
		"a panic":  func() error { panic("no") },
	} {
		synctest.Test(t, func(t *testing.T) {
			h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour) }}
			var failed atomic.Bool
			app := cached(middleware.CacheOptions{}, func(c *nextrush.Context) error {
				time.Sleep(time.Second)
				if !failed.Swap(true) {
					return fail()
				}
				return h.answer(c)
			})
			var bad atomic.Int32
			var wg sync.WaitGroup
			for range 20 {
				wg.Go(func() {
					if call(app, "GET", "/").Code != 200 {
						bad.Add(1)
					}
				})
			}
			wg.Wait()
			if bad.Load() != 1 {
				t.Errorf("%s: %d fail", name, bad.Load())
			}
		})
	}
}

// The client of the one that fetches goes, and another takes its place.
func TestCacheFetchesOnceThoughItsClientGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour) }}
		app := cached(middleware.CacheOptions{}, func(c *nextrush.Context) error {
			select {
			case <-c.Context().Done():
				return c.Context().Err()
			case <-time.After(time.Minute):
				return h.answer(c)
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		go app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		synctest.Wait()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if w := call(app, "GET", "/"); w.Code != 200 || w.Body.String() != "run 1" {
					t.Errorf("%d %q", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		cancel()
		wg.Wait()
	})
}

func TestCacheGivesTheOldWhileOneFetches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &counting{set: func(c *nextrush.Context) {
			time.Sleep(10 * time.Second)
			c.SetHeader("Cache-Control", "max-age=60, stale-while-revalidate=60")
		}}
		app := cached(middleware.CacheOptions{}, h.answer)
		call(app, "GET", "/")
		time.Sleep(70 * time.Second)
		go call(app, "GET", "/")
		synctest.Wait()
		start := time.Now()
		if w := call(app, "GET", "/"); w.Body.String() != "run 1" || time.Since(start) > 0 || !strings.Contains(w.Header().Get("Cache-Status"), "stale") {
			t.Errorf("%q after %v, %v", w.Body, time.Since(start), w.Header())
		}
		time.Sleep(11 * time.Second)
		if w := call(app, "GET", "/"); w.Body.String() != "run 2" {
			t.Errorf("%q", w.Body)
		}
		time.Sleep(3 * time.Minute)
		if w := call(app, "GET", "/"); w.Body.String() != "run 3" {
			t.Errorf("too old: %q", w.Body)
		}
	})
}

func TestCacheStopsWaitingWithItsClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := cached(middleware.CacheOptions{}, func(c *nextrush.Context) error { time.Sleep(time.Hour); return c.Text("late") })
		go call(app, "GET", "/")
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		if time.Since(start) != time.Second {
			t.Errorf("waited for %v", time.Since(start))
		}
		time.Sleep(2 * time.Hour)
	})
}

// stream writes more than is kept, or flushes.
func TestCacheLetsLargeAnswersAndStreamsThrough(t *testing.T) {
	for name, write := range map[string]func(c *nextrush.Context) error{
		"large":  func(c *nextrush.Context) error { return c.Text(strings.Repeat("x", 101)) },
		"stream": func(c *nextrush.Context) error { c.Text("x"); return http.NewResponseController(c.Writer()).Flush() },
	} {
		runs := 0
		app := cached(middleware.CacheOptions{Limit: 100}, func(c *nextrush.Context) error {
			runs++
			c.CacheFor(time.Hour)
			return write(c)
		})
		call(app, "GET", "/")
		if w := call(app, "GET", "/"); w.Code != 200 || runs != 2 || w.Body.Len() == 0 {
			t.Errorf("%s: %d runs, %d bytes", name, runs, w.Body.Len())
		}
	}
}

// broken is a store that fails.
type broken struct{ err error }

func (b *broken) Get(context.Context, string) ([]byte, error)              { return nil, b.err }
func (b *broken) Set(context.Context, string, []byte, time.Duration) error { return b.err }
func (b *broken) Add(context.Context, string, []byte, time.Duration) ([]byte, error) {
	return nil, b.err
}

func TestCacheServesWhileItsStoreFails(t *testing.T) {
	h := &counting{set: func(c *nextrush.Context) { c.CacheFor(time.Hour) }}
	app := cached(middleware.CacheOptions{Store: &broken{errors.New("down")}}, h.answer)
	for range 3 {
		if w := call(app, "GET", "/"); w.Code != 200 {
			t.Errorf("%d", w.Code)
		}
	}
	if h.runs.Load() != 3 {
		t.Errorf("%d runs", h.runs.Load())
	}
	wantPanic(t, "a negative limit", func() { middleware.Cache(middleware.CacheOptions{Limit: -1}) })
}

func TestCacheBesideCompressAndETag(t *testing.T) {
	for name, use := range map[string][]nextrush.Handler{
		"before": {middleware.Cache(), middleware.Compress(), middleware.ETag()},
		"after":  {middleware.Compress(), middleware.ETag(), middleware.Cache()},
	} {
		runs := 0
		app := nextrush.New()
		app.Use(use)
		app.Get("/", func(c *nextrush.Context) error { runs++; return c.CacheFor(time.Hour).Text(strings.Repeat("x", 5000)) })
		for range 2 {
			for accept, coding := range map[string]string{"gzip": "gzip", "identity": ""} {
				w := call(app, "GET", "/", "Accept-Encoding", accept)
				if got := w.Header().Get("Content-Encoding"); got != coding || (w.Body.Len() == 5000) != (coding == "") {
					t.Errorf("%s, %s: coding %q, %d bytes", name, accept, got, w.Body.Len())
				}
				tag := w.Header().Get("ETag")
				if tag == "" || call(app, "GET", "/", "Accept-Encoding", accept, "If-None-Match", tag).Code != 304 {
					t.Errorf("%s, %s: ETag %q", name, accept, tag)
				}
			}
		}
		if runs != 2 {
			t.Errorf("%s: %d runs", name, runs)
		}
	}
}

func ExampleCache() {
	runs := 0
	app := nextrush.New()
	app.Use(middleware.Cache())
	app.Get("/rates", func(c *nextrush.Context) error {
		runs++
		return c.CacheFor(time.Minute).JSON(map[string]float64{"EUR": 1.08})
	})
	for range 3 {
		call(app, "GET", "/rates")
	}
	fmt.Println(runs)
	// Output: 1
}

// An answer that turns out to be too large, or a stream, keeps nobody waiting to its end.
func TestCacheWaitsForNothingThatIsNotKept(t *testing.T) {
	for name, begin := range map[string]func(c *nextrush.Context) error{
		"large":     func(c *nextrush.Context) error { return c.Text(strings.Repeat("x", 101)) },
		"announced": func(c *nextrush.Context) error { return c.SetHeader("Content-Length", "101").Text("x") },
		"stream":    func(c *nextrush.Context) error { c.Text("x"); return http.NewResponseController(c.Writer()).Flush() },
	} {
		synctest.Test(t, func(t *testing.T) {
			app := cached(middleware.CacheOptions{Limit: 100}, func(c *nextrush.Context) error {
				c.CacheFor(time.Hour)
				if err := begin(c); err != nil {
					return err
				}
				time.Sleep(time.Hour)
				return nil
			})
			var wg sync.WaitGroup
			start := time.Now()
			for range 10 {
				wg.Go(func() { call(app, "GET", "/") })
				synctest.Wait()
			}
			wg.Wait()
			if took := time.Since(start); took != time.Hour {
				t.Errorf("%s: the last one has its answer after %v", name, took)
			}
		})
	}
}
