package nextrush

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

// echo#2754: a slow handler's answer came in another request's.
func TestNoAnswerReachesAnotherRequest(t *testing.T) {
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	app.Use(func(c *Context) error {
		c.Set("token", c.Query("token"))
		return c.Next()
	})
	type message struct {
		Token string `json:"token" validate:"required"`
	}
	app.Post("/:how", func(c *Context) error {
		var in message
		if err := c.Bind(&in); err != nil {
			return err
		}
		token, _ := Value[string](c, "token")
		runtime.Gosched()
		switch c.Param("how") {
		case "json":
			return c.JSON(message{in.Token + token})
		case "error":
			return NewError(http.StatusTeapot, in.Token+token)
		case "late":
			defer func() { go c.Get("token") }() // kept beyond the request
			return c.Text(in.Token + token)
		}
		panic(in.Token + token)
	})
	const workers, requests = 50, 2000
	ways := []string{"json", "error", "late", "panic"}
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range requests {
				token, how := fmt.Sprintf("token-%d-%d-", w, i), ways[i%len(ways)]
				r := httptest.NewRequest(http.MethodPost, "/"+how+"?token="+token, strings.NewReader(`{"token":"`+token+`"}`))
				r.Header.Set("Content-Type", "application/json")
				rec := httptest.NewRecorder()
				app.ServeHTTP(rec, r)
				body := rec.Body.String()
				if how == "panic" {
					if rec.Code != http.StatusInternalServerError || strings.Contains(body, "token") {
						t.Errorf("%s: %d %s", token, rec.Code, body)
					}
				} else if strings.Count(body, "token-") != 2 || !strings.Contains(body, token+token) {
					t.Errorf("%s got %s", token, body)
				}
			}
		})
	}
	wg.Wait()
}

func TestSlowHeadersAreTimedOutAndOthersServed(t *testing.T) {
	app := New(Options{ReadHeaderTimeout: time.Second, Logger: slog.New(slog.DiscardHandler)})
	app.Get("/", func(c *Context) error { return c.Text("hi") })
	addr, stop := serve(t, app)
	defer stop()
	var slow []net.Conn
	for range 50 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
		slow = append(slow, conn)
	}
	if res, body := get(t, http.DefaultClient, "http://"+addr); res.StatusCode != http.StatusOK || body != "hi" {
		t.Errorf("meanwhile others got %s %q", res.Status, body)
	}
	for _, conn := range slow {
		if _, err := io.ReadAll(conn); err != nil {
			t.Error(err)
		}
	}
}

func TestManyRangesAreAnsweredWithTheWhole(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	app := New()
	app.Get("/", func(c *Context) error { return c.File(file) })
	for ranges, want := range map[int]int{1: http.StatusPartialContent, 100: http.StatusPartialContent, 101: http.StatusOK, 10_000: http.StatusOK} {
		w := do(t, app, "GET", "/", "", "Range", "bytes=0-0"+strings.Repeat(",0-0", ranges-1))
		if w.Code != want {
			t.Errorf("%d ranges: %d, %d bytes", ranges, w.Code, w.Body.Len())
		}
	}
}

// A file server cleans paths, and the router has not: "//private" got past a guard.
func TestMountedHandlersSeeThePathsThatGuardsSee(t *testing.T) {
	files := http.FileServerFS(fstest.MapFS{"private/x": {Data: []byte("secret")}, "a b/x": {Data: []byte("public")}})
	for _, tt := range []struct {
		path     string
		disable  bool
		status   int
		location string
	}{
		{"/files/private/x", false, 403, ""},
		{"/files/private//x", false, 403, ""},
		{"/files//private/x", false, 308, "/files/private/x"},
		{"/files/%2fprivate/x", false, 308, "/files/private/x"},
		{"/files/./private/x", false, 308, "/files/private/x"},
		{"/files/a/../private/x?a=b", false, 308, "/files/private/x?a=b"},
		{"/files/a%2f%2e%2e%2fprivate/x", false, 308, "/files/private/x"},
		{"/files//private/", false, 308, "/files/private/"},
		{"/files/../..//evil.example/", false, 308, "/evil.example/"},
		{"/files/..%2f%2fevil.example", false, 308, "/evil.example"},
		{"/files/../%5c%5cevil.example", false, 308, "/%5C%5Cevil.example"},
		{"/files//private/x", true, 404, ""},
		{"/files/a%20b/x", false, 200, ""},
		{"/files", false, 200, ""},
		{"/files/private%5c..%5cx", false, 404, ""},
	} {
		app := New(Options{DisableTrailingSlashRedirect: tt.disable})
		app.Group("/files/private", func(*Context) error { return NewError(403) }).Get("/*path", text("guarded"))
		app.Mount("/files", files)
		w := do(t, app, "GET", tt.path, "")
		if w.Code != tt.status || w.Header().Get("Location") != tt.location || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %q %s", tt.path, w.Code, w.Header().Get("Location"), w.Body)
		}
	}
}

// A file server answers POST as it does GET, and a route for GET guards GET and HEAD.
func TestAnyGuardsWhatIsMountedBehindIt(t *testing.T) {
	app := New()
	app.Any("/files/private/*path", func(*Context) error { return NewError(403) })
	app.Mount("/files", http.FileServerFS(fstest.MapFS{"private/x": {Data: []byte("secret")}}))
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		if w := do(t, app, method, "/files/private/x", ""); w.Code != 403 || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", method, w.Code, w.Body)
		}
	}
}

func TestManyPartsAreRefused(t *testing.T) {
	app := New(Options{Logger: slog.New(slog.DiscardHandler), BodyLimit: 64 << 20})
	app.Post("/", func(c *Context) error {
		var in struct {
			Name string `form:"name"`
		}
		return c.Bind(&in)
	})
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for range 100_000 {
		form.WriteField("name", "x")
	}
	form.Close()
	r := httptest.NewRequest(http.MethodPost, "/", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	rec := httptest.NewRecorder()
	app.ServeHTTP(rec, r)
	if rec.Code != http.StatusBadRequest && rec.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("got %d %s", rec.Code, rec.Body)
	}
}
