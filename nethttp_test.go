package nextrush

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// timeout is http.TimeoutHandler with a page that is larger than what net/http
// buffers.
func timeout(d time.Duration) Handler {
	page := strings.Repeat("<p>too late</p>", 250)
	return WrapMiddleware(func(h http.Handler) http.Handler { return http.TimeoutHandler(h, d, page) })
}

// Handlers that http.TimeoutHandler no longer waits for write on while their
// connections, and the buffers of those, belong to other requests.
func TestWhatALateHandlerWritesReachesNobody(t *testing.T) {
	const clients = 30
	for name, each := range map[string]int{"HTTP1": 200, "HTTP2": 40} {
		t.Run(name, func(t *testing.T) {
			var late sync.WaitGroup
			var timely atomic.Int64
			ts := httptest.NewUnstartedServer(lateApp(t, &late, &timely))
			if ts.EnableHTTP2 = name == "HTTP2"; ts.EnableHTTP2 {
				ts.StartTLS()
			} else {
				ts.Start()
			}
			defer ts.Close()
			ts.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 2 * clients
			var all sync.WaitGroup
			for g := range clients {
				all.Go(func() {
					for i := range each {
						who := fmt.Sprintf("g%dk%d", g, i)
						if body := fetch(t, ts, "/late/"+who); !strings.HasPrefix(body, "503 <p>") || strings.Contains(body, "SECRET") {
							t.Errorf("late: %.200q", body)
						}
					}
				})
				all.Go(func() {
					for i := range each {
						who := fmt.Sprintf("g%dk%d", g, i)
						if got, want := fetch(t, ts, "/other/"+who), "200 first "+who+" second "+who; got != want {
							t.Errorf("other: %.200q, want %q", got, want)
						}
					}
				})
			}
			all.Wait()
			late.Wait()
			if n := timely.Load(); n > 0 {
				t.Errorf("%d late handlers could still write", n)
			}
		})
	}
}

func fetch(t *testing.T, ts *httptest.Server, path string) string {
	res, err := ts.Client().Get(ts.URL + path)
	if err != nil {
		return err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Error(path, err)
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

// lateApp has a route whose handler begins to write when its request has been
// answered, and one without such middleware.
func lateApp(t *testing.T, late *sync.WaitGroup, timely *atomic.Int64) *App {
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(func(c *Context) error {
		over := make(chan struct{})
		defer close(over)
		c.Set("over", over)
		return c.Next()
	})
	counted := func(c *Context) error { late.Add(1); return c.Next() } // here, for the handler may begin late too
	app.With(counted, timeout(time.Millisecond)).Get("/late/:who", func(c *Context) error {
		defer late.Done()
		over, _ := Value[chan struct{}](c, "over")
		<-over
		c.Set("who", c.Param("who"))
		c.SetHeader("X-Secret", "SECRET").Status(http.StatusTeapot)
		secret := strings.Repeat("SECRET-"+c.Param("who")+" ", 300)
		for range 4 {
			if err := c.Text(secret); !errors.Is(err, http.ErrHandlerTimeout) {
				timely.Add(1)
			}
		}
		return errors.New("SECRET " + c.ID())
	})
	app.Get("/other/:who", func(c *Context) error {
		io.WriteString(c.Writer(), "first "+c.Param("who"))
		io.WriteString(c.Writer(), " second "+c.Param("who"))
		return nil
	})
	return app
}

func TestValuesPassMiddlewareOfNetHTTPBothWays(t *testing.T) {
	app := New()
	app.Use(func(c *Context) error {
		c.Set("before", 1)
		id := c.ID()
		err := c.Next()
		if v, _ := Value[int](c, "behind"); v != 2 {
			t.Errorf("before: Value is %d", v)
		}
		if c.ID() != id || c.StatusCode() == 0 || c.StatusCode() != 201 || c.BytesWritten() != 4 {
			t.Errorf("before: ID %s, want %s; status %d, size %d", c.ID(), id, c.StatusCode(), c.BytesWritten())
		}
		return err
	}, timeout(time.Hour))
	app.Get("/", func(c *Context) error {
		if v, _ := Value[int](c, "before"); v != 1 || c.StatusCode() != 0 {
			t.Errorf("behind: Value is %d, Written %t", v, c.StatusCode() != 0)
		}
		c.Set("behind", 2)
		err := c.Status(201).Text("text")
		if c.StatusCode() == 0 || c.StatusCode() != 201 || c.BytesWritten() != 4 {
			t.Errorf("behind: status %d, size %d", c.StatusCode(), c.BytesWritten())
		}
		return errors.Join(err, c.Next())
	})
	if w := do(t, app, "GET", "/", ""); w.Code != 201 || w.Body.String() != "text" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheIDIsOneBeforeAndBehind(t *testing.T) {
	app := New()
	var behind string
	app.Use(func(c *Context) error {
		c.SetHeader("X-Request-Id", "one")
		return c.Next()
	}, timeout(time.Hour))
	app.Get("/", func(c *Context) error { behind = c.ID(); return nil })
	if do(t, app, "GET", "/", ""); behind != "one" {
		t.Errorf("ID %q", behind)
	}
}

// What TimeoutHandler holds back is not sent: a clean answer takes its place.
func TestAnErrorAfterAWriteThatIsHeldBackIsAnswered(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Use(timeout(time.Hour))
	app.Get("/", func(c *Context) error {
		io.WriteString(c.Writer(), "half of the ")
		return errors.New("database gone")
	})
	w := do(t, app, "GET", "/", "")
	if w.Code != 500 || strings.Contains(w.Body.String(), "half") || !strings.Contains(w.Body.String(), `"status":500`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if n := strings.Count(log.String(), "database gone"); n != 1 {
		t.Errorf("logged %d times: %s", n, &log)
	}
}

func TestPanicsBehindMiddlewareOfNetHTTPKeepTheirStack(t *testing.T) {
	catch := func(c *Context) (err error) {
		defer func() { err = recover().(error) }()
		return c.Next()
	}
	for name, use := range map[string][]Handler{
		"alone": {timeout(time.Hour)}, "twice": {timeout(time.Hour), timeout(time.Hour)}, "caught": {catch, timeout(time.Hour)},
	} {
		var log bytes.Buffer
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Use(use)
		app.Get("/", explode)
		w := do(t, app, "GET", "/", "")
		if w.Code != 500 || !strings.Contains(log.String(), "nextrush.explode") || strings.Count(log.String(), "msg=panic") != 1 {
			t.Errorf("%s: %d, logged %s", name, w.Code, &log)
		}
	}
}

func explode(*Context) error { panic("boom") }

func TestErrAbortHandlerPassesMiddlewareOfNetHTTP(t *testing.T) {
	app := New()
	app.Use(timeout(time.Hour))
	app.Get("/", func(*Context) error { panic(http.ErrAbortHandler) })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("recovered %v", v)
		}
	}()
	do(t, app, "GET", "/", "")
}

// The middleware answers in its goroutine and never looks at the handlers again.
func TestHandlersWithoutAnybodyWaitingEndQuietly(t *testing.T) {
	for name, tt := range map[string]struct {
		end  Handler
		want string
	}{
		"panic":         {explode, "nextrush.explode"},
		"error":         {func(*Context) error { return errors.New("database gone") }, "database gone"},
		"written error": {func(c *Context) error { c.Text("half"); return errors.New("database gone") }, "database gone"},
	} {
		var log bytes.Buffer
		over, ended := make(chan struct{}), make(chan struct{})
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Use(WrapMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				go func() {
					defer close(ended)
					next.ServeHTTP(httptest.NewRecorder(), r)
				}()
				w.WriteHeader(http.StatusAccepted)
			})
		}))
		app.Get("/", func(c *Context) error { <-over; return tt.end(c) })
		w := do(t, app, "GET", "/", "")
		close(over)
		<-ended
		if w.Code != 202 || w.Body.Len() > 0 || strings.Count(log.String(), tt.want) == 0 || strings.Count(log.String(), "msg=") != 1 {
			t.Errorf("%s: %d %s, logged %s", name, w.Code, w.Body, &log)
		}
	}
}

func TestMiddlewareOfNetHTTPMayTryAgain(t *testing.T) {
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	calls := 0
	app.Use(func(c *Context) error {
		err := c.Next()
		if c.Next(); calls != 2 {
			t.Errorf("%d calls", calls)
		}
		return err
	}, WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			first := httptest.NewRecorder()
			if next.ServeHTTP(first, r); first.Code == 503 {
				next.ServeHTTP(w, r)
			}
		})
	}))
	app.Get("/", func(c *Context) error {
		if calls++; calls == 1 {
			return NewError(503)
		}
		return c.Text("second")
	})
	if w := do(t, app, "GET", "/", ""); w.Code != 200 || w.Body.String() != "second" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestTheQueryBehindIsThatOfTheRequestThatMiddlewarePassesOn(t *testing.T) {
	app := New()
	app.Use(func(c *Context) error { c.Query("q"); return c.Next() }, WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = r.Clone(r.Context())
			r.URL.RawQuery = "q=new"
			next.ServeHTTP(w, r)
		})
	}))
	app.Get("/", func(c *Context) error { return c.Text(c.Query("q")) })
	if w := do(t, app, "GET", "/?q=old", ""); w.Body.String() != "new" {
		t.Errorf("%s", w.Body)
	}
}

// old is a writer as middleware made them before http.ResponseController.
type old struct{ http.ResponseWriter }

func (w old) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	h, ok := w.ResponseWriter.(http.Hijacker)
	if !ok {
		return nil, nil, errors.New("no http.Hijacker")
	}
	return h.Hijack()
}

func TestSocketsBehindMiddlewareOfNetHTTP(t *testing.T) {
	wrap := func(f func(http.ResponseWriter) http.ResponseWriter) Handler {
		return WrapMiddleware(func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(f(w), r) })
		})
	}
	for name, tt := range map[string]struct {
		use    Handler
		status int
	}{
		"the same writer":     {wrap(func(w http.ResponseWriter) http.ResponseWriter { return w }), 101},
		"Unwrap":              {wrap(func(w http.ResponseWriter) http.ResponseWriter { return &upperUnwrap{upper{w, 0}} }), 101},
		"Hijack":              {wrap(func(w http.ResponseWriter) http.ResponseWriter { return old{w} }), 101},
		"neither":             {wrap(func(w http.ResponseWriter) http.ResponseWriter { return &upper{w, 0} }), 500},
		"http.TimeoutHandler": {timeout(time.Hour), 500},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}).EnableWebSocket(websocket.Options{})
			app.Use(func(c *Context) error {
				c.Set("before", "kept")
				err := c.Next()
				if tt.status == 101 && c.StatusCode() != 101 {
					t.Errorf("the status before is %d", c.StatusCode())
				}
				return err
			}, tt.use)
			app.WS("/", func(s *websocket.Socket, c *Context) error {
				v, _ := Value[string](c, "before")
				return s.Send(v)
			})
			addr, stop := serve(t, app)
			defer stop()
			s, err := websocket.Dial(t.Context(), "ws://"+addr, nil)
			var refused *websocket.HandshakeError
			switch {
			case tt.status == 101 && err == nil:
				if m, err := s.Receive(t.Context()); err != nil || m.Text() != "kept" {
					t.Errorf("received %v, %v", m, err)
				}
			case !errors.As(err, &refused) || refused.Status != tt.status:
				t.Errorf("%v, want status %d", err, tt.status)
			case !strings.Contains(log.String(), "Hijack") || !strings.Contains(log.String(), "http.timeoutWriter") && !strings.Contains(log.String(), "nextrush.upper"):
				t.Errorf("logged %s", &log)
			}
		})
	}
}

type upperUnwrap struct{ upper }

func (w *upperUnwrap) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func TestTheFilesOfAFormBehindMiddlewareOfNetHTTPAreRemoved(t *testing.T) {
	form := "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n" + strings.Repeat("x", 2*1<<20+10<<20) + "\r\n--b--\r\n"
	for name, late := range map[string]bool{"in time": false, "late": true} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			over, ended := make(chan struct{}), make(chan struct{})
			app := New(Options{BodyLimit: 100 << 20})
			app.Use(WrapMiddleware(func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					go func() {
						defer close(ended)
						next.ServeHTTP(httptest.NewRecorder(), r.WithContext(r.Context()))
					}()
					if !late {
						<-ended
					}
				})
			}))
			app.Post("/", func(c *Context) error {
				if late {
					<-over
				}
				f, err := c.FormFile("f")
				if err != nil {
					t.Error(err)
					return err
				}
				opened, err := f.Open()
				if err != nil {
					t.Error(err)
					return err
				}
				return opened.Close()
			})
			do(t, app, "POST", "/", form, "Content-Type", "multipart/form-data; boundary=b")
			close(over)
			<-ended
			if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}
