package nextrush

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nextrush/nextrush/internal/apptest"
)

func TestErrorsAreProblemsOfRFC9457(t *testing.T) {
	type problem = struct {
		Type, Title  string
		Status       int
		Detail, Code string
		Errors       any
		Cause, Stack string
	}
	for _, tt := range []struct {
		name string
		err  error
		want problem
	}{
		{"an HTTPError", NewError(409, "taken").WithCode("TAKEN").WithDetails([]string{"x"}),
			problem{"about:blank", "Conflict", 409, "taken", "TAKEN", []any{"x"}, "", ""}},
		{"a wrapped one", fmt.Errorf("outer: %w", NewError(404)), problem{"about:blank", "Not Found", 404, "", "", nil, "", ""}},
		{"another error", errors.New("secret"), problem{"about:blank", "Internal Server Error", 500, "", "", nil, "", ""}},
		{"a cause", NewError(400, "no").WithCause(errors.New("secret")), problem{"about:blank", "Bad Request", 400, "no", "", nil, "", ""}},
		{"no status", &HTTPError{Message: "secret"}, problem{"about:blank", "Internal Server Error", 500, "", "", nil, "", ""}},
		{"a status of success", NewError(200), problem{"about:blank", "Internal Server Error", 500, "", "", nil, "", ""}},
		{"details that cannot be encoded", NewError(400).WithDetails(func() {}), problem{"about:blank", "Bad Request", 400, "", "", nil, "", ""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, header, body := answer(t, func(c *Context) error {
				c.SetHeader("Content-Encoding", "gzip")
				return tt.err
			})
			var got problem
			json.Unmarshal([]byte(body), &got)
			if fmt.Sprint(got) != fmt.Sprint(tt.want) || code != tt.want.Status {
				t.Errorf("%d %s", code, body)
			}
			if header.Get("Content-Type") != "application/problem+json" || header.Get("Content-Encoding") != "" {
				t.Errorf("header %v", header)
			}
		})
	}
}

func TestBrowsersGetAPage(t *testing.T) {
	fail := func(*Context) error { return NewError(400, "<script>") }
	_, header, body := answer(t, fail, "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if header.Get("Content-Type") != "text/html; charset=utf-8" || strings.Contains(body, "<script>") || !strings.Contains(body, "400 Bad Request") {
		t.Errorf("%v\n%s", header, body)
	}
}

func TestDebugSendsCauseAndStack(t *testing.T) {
	app := New(Options{Debug: true})
	app.Get("/", func(*Context) error { panic("oh") })
	if body := do(t, app, "GET", "/", "").Body.String(); !strings.Contains(body, "panic: oh") || !strings.Contains(body, "errors_test.go") {
		t.Error(body)
	}
}

func TestFailuresOfTheServerAreLoggedWithTheirStack(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/panic", func(*Context) error { panic("oh") })
	app.Get("/client", func(*Context) error { return NewError(400) })
	do(t, app, "GET", "/client", "")
	if log.Len() > 0 {
		t.Errorf("logged %s", &log)
	}
	do(t, app, "GET", "/panic", "")
	if s := log.String(); !strings.Contains(s, "errors_test.go") || !strings.Contains(s, "path=/panic") {
		t.Errorf("logged %s", s)
	}
}

func TestAnErrorAfterTheAnswerIsLogged(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/", func(c *Context) error {
		c.Text("found")
		return NewError(404, "too late")
	})
	if w := do(t, app, "GET", "/", ""); w.Code != 200 || w.Body.String() != "found" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "too late") {
		t.Errorf("logged %q", &log)
	}
}

// It is logged, for it is a mistake, but the client's answer is no other for it.
func TestABodyWhereNoneIsAllowedIsLeftOut(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.Get("/", func(c *Context) error { return c.Status(http.StatusNoContent).JSON("too much") })
	addr, stop := serve(t, app)
	defer stop()
	if res, body := get(t, http.DefaultClient, "http://"+addr); res.StatusCode != 204 || body != "" {
		t.Errorf("%s %q", res.Status, body)
	}
	if !strings.Contains(log.String(), "does not allow body") {
		t.Errorf("logged %s", &log)
	}
}

func TestAnErrorIsAnsweredOnce(t *testing.T) {
	calls := 0
	app := New(Options{ErrorHandler: func(c *Context, err error) {
		calls++
		c.Status(StatusOf(err)).Text("custom")
	}})
	app.Use(func(c *Context) error {
		err := c.Next()
		c.HandleError(err)
		if c.StatusCode() != 418 {
			t.Errorf("status %d", c.StatusCode())
		}
		return err
	})
	app.Get("/", func(*Context) error { return NewError(418) })
	if w := do(t, app, "GET", "/", ""); w.Code != 418 || calls != 1 || w.Body.String() != "custom" {
		t.Errorf("%d %s, %d calls", w.Code, w.Body, calls)
	}
}

// net/http would make an empty 200 of it.
func TestAnErrorThatTheErrorHandlerDoesNotAnswerIsAnsweredAsByDefault(t *testing.T) {
	app := New(Options{ErrorHandler: func(c *Context, err error) { c.Status(202) }})
	app.Get("/", func(*Context) error { return NewError(409, "taken") })
	for _, path := range []string{"/", "/none"} {
		w := do(t, app, "GET", path, "")
		if want := map[string]int{"/": 409, "/none": 404}[path]; w.Code != want || !strings.Contains(w.Body.String(), "about:blank") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestHandlersAndMiddlewareOfNetHTTP(t *testing.T) {
	type key struct{}
	app := New()
	app.Use(WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := &upper{w, 0}
			next.ServeHTTP(rec, r.WithContext(context.WithValue(r.Context(), key{}, "v")))
			w.Header().Set("X-Late", "1")
			if rec.code == 0 {
				t.Error("the middleware saw no status")
			}
		})
	}))
	app.Get("/x/:id", WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.PathValue("id"), r.Context().Value(key{}))
	})))
	app.Get("/fail", func(*Context) error { return NewError(409) })
	app.Mount("/std", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method, r.URL.Path) }))
	for _, tt := range []struct{ method, path, want string }{
		{"GET", "/x/a", "AV"}, {"GET", "/std", "GET/"}, {"PUT", "/std/a/b", "PUT/A/B"}, {"GET", "/fail", ""},
	} {
		w := do(t, app, tt.method, tt.path, "")
		if got := w.Body.String(); tt.want != "" && got != tt.want {
			t.Errorf("%s: %q", tt.path, got)
		}
		if tt.path == "/fail" && w.Code != 409 {
			t.Errorf("status %d", w.Code)
		}
	}
}

// upper is a writer as middleware of net/http makes them.
type upper struct {
	http.ResponseWriter
	code int
}

func (w *upper) WriteHeader(code int) {
	w.code = code
	w.ResponseWriter.WriteHeader(code)
}

func (w *upper) Write(b []byte) (int, error) {
	w.code = max(w.code, 200)
	return w.ResponseWriter.Write(bytes.ToUpper(b))
}

func TestAMountedAppBringsItsMiddlewareAndLaterRoutes(t *testing.T) {
	sub := New()
	sub.Use(mark("sub"))
	app := New()
	app.Use(mark("app"))
	app.Group("/api", mark("group")).Mount("/v1", sub)
	sub.Get("/late/:id", func(c *Context) error { return c.Text(c.Param("id") + c.Route()) })
	w := do(t, app, "GET", "/api/v1/late/7", "")
	if got := strings.Join(w.Header()["X-Trace"], " "); got != "app group sub" || w.Body.String() != "7/api/v1/late/:id" {
		t.Errorf("%q %s", got, w.Body)
	}
	if infos := app.Routes(); len(infos) != 1 || infos[0].Path != "/api/v1/late/:id" || !strings.Contains(infos[0].Source, "errors_test.go") {
		t.Errorf("%+v", infos)
	}
}

// A client that gets nothing on a connection that it has used before sends the
// request again.
func TestACutOffAnswerIsNotAskedForTwice(t *testing.T) {
	for name, half := range map[string]Handler{
		"error":           func(*Context) error { return errors.New("database gone") },
		"panic":           func(*Context) error { panic("oh") },
		"ErrAbortHandler": func(*Context) error { panic(http.ErrAbortHandler) },
	} {
		for _, http2 := range []bool{false, true} {
			var calls atomic.Int64
			app := New(Options{Logger: slog.New(slog.DiscardHandler)})
			app.Get("/whole", text("whole"))
			app.Get("/half", func(c *Context) error {
				calls.Add(1)
				c.Text("partial")
				return half(c)
			})
			ts := httptest.NewUnstartedServer(app)
			ts.EnableHTTP2 = http2
			ts.StartTLS()
			get(t, ts.Client(), ts.URL+"/whole")
			res, err := ts.Client().Get(ts.URL + "/half")
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			body, err := io.ReadAll(res.Body)
			if err == nil || string(body) != "partial" || calls.Load() != 1 {
				t.Errorf("%s, HTTP/2 %t: %q, %v, %d calls", name, http2, body, err, calls.Load())
			}
			ts.Close()
		}
	}
}

func TestACutOffAnswerIsNoneInHTTP10(t *testing.T) {
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	app.Get("/", func(c *Context) error { c.Text("partial"); return errors.New("database gone") })
	ts := apptest.Serve(app)
	defer ts.Close()
	conn, err := net.Dial("tcp", ts.Addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.0\r\n\r\n")
	if got, err := io.ReadAll(conn); len(got) > 0 || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}

func TestAnErrorIsLoggedWhoeverAnswersIt(t *testing.T) {
	as := func(status int) func(*Context, error) {
		return func(c *Context, err error) { c.Status(status).Text("custom") }
	}
	fail := func(*Context) error { return errors.New("database gone") }
	late := func(c *Context) error { c.Text("found"); return NewError(404, "too late") }
	gone := func(c *Context) error {
		ctx, cancel := context.WithCancel(c.Context())
		cancel()
		c.SetContext(ctx)
		return ctx.Err()
	}
	for name, tt := range map[string]struct {
		answer func(*Context, error)
		h      Handler
		want   string // in the one line; empty: there is none
	}{
		"an error":                  {as(500), fail, "database gone"},
		"a panic":                   {as(500), explode, "nextrush.explode"},
		"a panic, as the client's":  {as(400), explode, "nextrush.explode"},
		"an error, as a success":    {as(200), fail, "database gone"},
		"an error, as the client's": {as(404), fail, ""},
		"the client's":              {as(404), func(*Context) error { return NewError(404) }, ""},
		"the client's, as ours":     {as(500), func(*Context) error { return NewError(404) }, "404"},
		"after the answer":          {as(404), late, "too late"},
		"the client has gone":       {as(500), gone, ""},
		"no answer":                 {func(*Context, error) {}, fail, "database gone"},
		"the default":               {DefaultErrorHandler, fail, "database gone"},
	} {
		var log bytes.Buffer
		app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), ErrorHandler: tt.answer})
		app.Get("/", tt.h)
		app.Get("/wrapped", WrapMiddleware(func(next http.Handler) http.Handler { return next }), tt.h)
		for _, path := range []string{"/", "/wrapped"} {
			log.Reset()
			do(t, app, "GET", path, "")
			lines := 1
			if tt.want == "" {
				lines = 0
			}
			if strings.Count(log.String(), "\n") != lines || !strings.Contains(log.String(), tt.want) {
				t.Errorf("%s, %s: logged %s", name, path, &log)
			}
		}
	}
}

func TestAnErrorIsLoggedWhereAnsweringItPanics(t *testing.T) {
	var log bytes.Buffer
	app := New(Options{
		Logger:       slog.New(slog.NewTextHandler(&log, nil)),
		ErrorHandler: func(*Context, error) { panic(http.ErrAbortHandler) },
	})
	app.Get("/", func(*Context) error { return errors.New("database gone") })
	defer func() {
		if v := recover(); v != http.ErrAbortHandler || !strings.Contains(log.String(), "database gone") {
			t.Errorf("%v, logged %s", v, &log)
		}
	}()
	do(t, app, "GET", "/", "")
}

func TestWithHeaderLeavesTheErrorAsItIs(t *testing.T) {
	shared := NewError(503).WithHeader("Retry-After", "1")
	if own := shared.WithHeader("retry-after", "2"); own.Header.Get("Retry-After") != "2" || shared.Header.Get("Retry-After") != "1" {
		t.Errorf("%v %v", shared.Header, own.Header)
	}
	_, header, _ := answer(t, func(*Context) error { return shared })
	if header.Get("Retry-After") != "1" {
		t.Error(header)
	}
}
