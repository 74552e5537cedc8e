package middleware_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

func abandoning(d time.Duration) nextrush.Handler {
	return middleware.Timeout(d, middleware.TimeoutOptions{Abandon: true})
}

func TestAbandonAnswersForHandlersThatHang(t *testing.T) {
	for name, test := range map[string]struct {
		handler nextrush.Handler
		want    int
		body    string
	}{
		"in time":   {text("ok"), 200, "ok"},
		"no answer": {func(c *nextrush.Context) error { c.SetHeader("X-A", "1"); return nil }, 200, ""},
		"an error":  {func(c *nextrush.Context) error { return nextrush.NewError(404) }, 404, ""},
		"a panic":   {func(c *nextrush.Context) error { panic("boom") }, 500, ""},
		"gives up":  {func(c *nextrush.Context) error { <-c.Context().Done(); return c.Context().Err() }, 503, ""},
		"hangs":     {func(c *nextrush.Context) error { time.Sleep(time.Hour); return c.Text("late") }, 503, ""},
		"begins": {func(c *nextrush.Context) error {
			io.WriteString(c.Writer(), "a")
			time.Sleep(time.Hour)
			return c.Text("b")
		}, 200, "ab"},
		"its status": {func(c *nextrush.Context) error { c.Writer().WriteHeader(201); time.Sleep(time.Hour); return nil }, 201, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
			var seen error
			app.Use(func(c *nextrush.Context) error {
				c.SetHeader("X-Before", "1")
				seen = c.Next()
				return seen
			})
			app.Get("/", abandoning(time.Second), test.handler)
			w := ask(app, "/")
			if w.Code != test.want || test.body != "" && w.Body.String() != test.body || w.Header().Get("X-Before") != "1" {
				t.Errorf("%s: %d %q %v", name, w.Code, w.Body, w.Header())
			}
			if name == "no answer" && w.Header().Get("X-A") != "1" {
				t.Errorf("%s: %v", name, w.Header())
			}
			if name != "a panic" && (seen == nil) != (test.want < 300) || seen != nil && nextrush.StatusOf(seen) != test.want {
				t.Errorf("%s: middleware before sees %v", name, seen)
			}
			time.Sleep(2 * time.Hour) // for those that are late
		})
	}
}

// The client has gone, and the handler does not notice.
func TestAbandonLeavesHandlersWhoseClientHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
		app.Get("/", abandoning(time.Minute), func(c *nextrush.Context) error { time.Sleep(time.Hour); return nil })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		if took := time.Since(start); took != time.Minute {
			t.Errorf("waited for %v", took)
		}
		time.Sleep(2 * time.Hour)
	})
}

// Late handlers do all that they can to an answer whose connection serves others.
func TestAbandonedHandlersHarmNobody(t *testing.T) {
	for name, serve := range map[string]func(t *testing.T, app *nextrush.App) (url string, client *http.Client){
		"net/http": func(t *testing.T, app *nextrush.App) (string, *http.Client) {
			server := apptest.Serve(app)
			t.Cleanup(server.Close)
			return server.URL, server.Client()
		},
		"HTTP/2": func(t *testing.T, app *nextrush.App) (string, *http.Client) {
			server := httptest.NewUnstartedServer(app)
			server.EnableHTTP2 = true
			server.StartTLS()
			t.Cleanup(server.Close)
			return server.URL, server.Client()
		},
		"the app's server": func(t *testing.T, app *nextrush.App) (string, *http.Client) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan error, 1)
			go func() { served <- app.Serve(l) }()
			client := &http.Client{Transport: new(http.Transport)}
			t.Cleanup(func() {
				client.CloseIdleConnections()
				app.Shutdown(context.Background())
				<-served
			})
			return "http://" + l.Addr().String(), client
		},
	} {
		t.Run(name, func(t *testing.T) { harmNobody(t, serve) })
	}
}

func harmNobody(t *testing.T, serve func(*testing.T, *nextrush.App) (string, *http.Client)) {
	log := &lines{}
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.NewTextHandler(log, nil))})
	app.Use(middleware.Logger(middleware.LoggerOptions{Logger: slog.New(slog.DiscardHandler)}))
	release := make(chan struct{})
	var late sync.WaitGroup
	var written atomic.Int32
	hang := app.With(func(c *nextrush.Context) error { late.Add(1); return c.Next() }, abandoning(time.Millisecond))
	hang.Post("/:how", func(c *nextrush.Context) error {
		defer late.Done()
		c.SetHeader("X-Early", "1")
		<-release
		if touch(c) {
			written.Add(1)
		}
		switch c.Param("how") {
		case "panic":
			panic("too late")
		case "error":
			return nextrush.NewError(500, "SECRET")
		}
		return c.JSON("SECRET")
	})
	app.Get("/next", text("next"))
	url, client := serve(t, app)
	ask := func(method, path string, body string) (int, string, http.Header) {
		r, _ := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(b), resp.Header
	}
	for range 20 {
		for _, how := range []string{"write", "panic", "error"} {
			status, body, h := ask("POST", "/"+how, strings.Repeat("x", 100))
			if status != 503 || strings.Contains(body, "SECRET") || h.Get("X-Early") != "" {
				t.Fatalf("%s: %d %q %v", how, status, body, h)
			}
		}
	}
	close(release)
	for range 100 {
		if _, body, h := ask("GET", "/next", ""); body != "next" || h.Get("X-Late") != "" {
			t.Fatalf("%q %v", body, h)
		}
	}
	late.Wait()
	if n := written.Load(); n > 0 {
		t.Errorf("%d late handlers had an effect", n)
	}
	for log.count("too late") < 20 { // which are logged after the handlers
		runtime.Gosched()
	}
}

// touch does what a handler can do to an answer, and reports whether anything worked.
func touch(c *nextrush.Context) (worked bool) {
	c.SetHeader("X-Late", "SECRET")
	c.Set("late", true)
	c.Writer().WriteHeader(http.StatusEarlyHints)
	w := http.NewResponseController(c.Writer())
	c.Body() // its own, of which HTTP/2 still has what has come
	_, _, hijackErr := c.Hijack()
	for _, err := range []error{
		w.SetWriteDeadline(time.Unix(1, 0)), w.SetReadDeadline(time.Unix(1, 0)), w.EnableFullDuplex(), w.Flush(),
		c.Text("SECRET"), c.Stream("text/plain", strings.NewReader("SECRET")), hijackErr,
	} {
		worked = worked || err == nil
	}
	return worked
}

// Handlers end at about the time at which they are abandoned.
func TestAbandonDecidesOnce(t *testing.T) {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Get("/", abandoning(time.Millisecond), func(c *nextrush.Context) error {
		<-c.Context().Done()
		if c.Query("error") != "" {
			return nextrush.NewError(404)
		}
		return c.Text("whole")
	})
	server := apptest.Serve(app)
	defer server.Close()
	for i := range 300 {
		target := server.URL
		if i%2 == 0 {
			target += "?error=1"
		}
		resp, err := http.Get(target)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		whole := resp.StatusCode == 200 && string(body) == "whole" || resp.StatusCode == 404 || resp.StatusCode == 503 && strings.Contains(string(body), "503")
		if err != nil || !whole {
			t.Fatalf("%d %q %v", resp.StatusCode, body, err)
		}
	}
}

func TestAbandonLeavesStreamsAndSockets(t *testing.T) {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Use(abandoning(2 * time.Second))
	app.WS("/socket", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.Send(m.Text()) })
		return nil
	})
	app.Get("/events", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error {
			s.Send("first")
			<-c.Context().Done()
			return s.Send("after the deadline")
		})
	})
	app.Get("/hijack", func(c *nextrush.Context) error {
		conn, _, err := c.Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		<-c.Context().Done()
		_, err = conn.Write([]byte("HTTP/1.1 299 Taken over\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"))
		return err
	})
	client := nextrushtest.New(t, app)
	s := client.Dial("/socket")
	if body := client.Get("/events").WantStatus(200).Text(); !strings.Contains(body, "after the deadline") {
		t.Errorf("%q", body)
	}
	client.Get("/hijack").WantStatus(299)
	s.Send("still here")
	s.Expect("still here")
}

func TestAbandonKeepsTrailersAndEarlyHints(t *testing.T) {
	app := nextrush.New()
	app.Get("/", abandoning(time.Hour), func(c *nextrush.Context) error {
		c.SetHeader("Link", "</a.css>; rel=preload").Writer().WriteHeader(http.StatusEarlyHints)
		c.SetHeader("Trailer", "X-Sum")
		if err := c.Text("body"); err != nil {
			return err
		}
		c.SetHeader("X-Sum", "42")
		return nil
	})
	server := apptest.Serve(app)
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	body, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if string(body) != "body" || resp.Trailer.Get("X-Sum") != "42" || resp.Header.Get("Link") == "" {
		t.Errorf("%q %v %v", body, resp.Header, resp.Trailer)
	}
}

// lines is a log that several goroutines write.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for s := bufio.NewScanner(strings.NewReader(l.text.String())); s.Scan(); {
		if strings.Contains(s.Text(), part) {
			n++
		}
	}
	return n
}

func ExampleTimeoutOptions() {
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(middleware.Timeout(time.Millisecond, middleware.TimeoutOptions{Abandon: true}))
	hang := make(chan struct{})
	app.Get("/", func(c *nextrush.Context) error {
		<-hang // looks at no context
		return c.Text("nobody reads this")
	})
	w := httptest.NewRecorder()
	app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	close(hang)
	fmt.Println(w.Code)
	// Output: 503
}
