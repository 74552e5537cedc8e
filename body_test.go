package nextrush

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/websocket"
)

// bodyApp refuses before it has read anything of a body, in each way there is.
func bodyApp() *App {
	app := slowApp(Options{})
	app.EnableWebSocket(websocket.Options{})
	app.Post("/refuse", func(*Context) error { return NewError(http.StatusUnauthorized) })
	app.Post("/limit", func(c *Context) error { return c.LimitBody(1 << 20) })
	app.Post("/wrapped", WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no", http.StatusTeapot)
	})))
	app.Post("/replaced", func(c *Context) error {
		c.Request().Body = io.NopCloser(strings.NewReader("another"))
		return NewError(http.StatusForbidden)
	})
	return app
}

// A final status comes at once where nobody waits for the body (RFC 9110 §10.1.1).
func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	for _, tt := range []struct {
		path   string
		status int
	}{
		{"/refuse", 401}, {"/nowhere", 404}, {"/limit", 413}, {"/read", 413}, {"/wrapped", 418}, {"/replaced", 403},
	} {
		for _, expect := range []string{"", "Expect: 100-continue\r\n"} {
			inPipes(t, bodyApp(), func(p *pipes) {
				conn := p.dial()
				defer conn.Close()
				begin := time.Now()
				fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 10485760\r\n%s\r\n", tt.path, expect)
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("%s %q: %v", tt.path, expect, err)
				}
				took := time.Since(begin)
				io.Copy(io.Discard, in) // until the server has closed the connection
				if res.StatusCode != tt.status || took > time.Second {
					t.Errorf("%s %q: %d after %v", tt.path, expect, res.StatusCode, took)
				}
			})
		}
	}
}

func TestAHandlerThatReadsGetsItsContinue(t *testing.T) {
	inPipes(t, bodyApp(), func(p *pipes) {
		conn := p.dial()
		defer conn.Close()
		in := bufio.NewReader(conn)
		fmt.Fprint(conn, "POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
		if res, err := http.ReadResponse(in, nil); err != nil || res.StatusCode != http.StatusContinue {
			t.Fatalf("%v, %v", res, err)
		}
		fmt.Fprint(conn, "hello")
		res, err := http.ReadResponse(in, nil)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", res, err)
		}
	})
}

// What follows a broken trailer is no request (RFC 9112 §2.2).
func TestABrokenBodyEndsTheConnection(t *testing.T) {
	for name, body := range map[string]string{
		"trailer": "1\r\nx\r\n0\r\nno colon\r\n\r\n",
		"chunk":   "1\r\nx\r\nzz\r\n",
	} {
		for _, path := range []string{"/read", "/ignore", "/again", "/refuse"} {
			inPipes(t, bodyApp(), func(p *pipes) {
				conn := p.dial()
				go fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%sPOST /ignore HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", path, body)
				in := bufio.NewReader(conn)
				res, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatalf("%s, %s: %v", name, path, err)
				}
				io.Copy(io.Discard, res.Body)
				if res, err := http.ReadResponse(in, nil); err == nil {
					t.Errorf("%s, %s: a second answer: %d", name, path, res.StatusCode)
				}
				conn.Close()
			})
		}
	}
}

// Files of a form are removed whoever has parsed it, and on whichever copy of the request.
func TestFilesOfAFormAreRemoved(t *testing.T) {
	parse := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseMultipartForm(1); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	for name, prepare := range map[string]func(*App){
		"by Context":          func(app *App) { app.Post("/", func(c *Context) error { _, err := c.FormFile("f"); return err }) },
		"by net/http":         func(app *App) { app.Post("/", WrapHandler(parse)) },
		"on another request":  func(app *App) { app.Use(again); app.Post("/", WrapHandler(parse)) },
		"before the route":    func(app *App) { app.Pre(before(parse)) },
		"behind a Pre's copy": func(app *App) { app.Pre(copied); app.Post("/", WrapHandler(parse)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			app := New()
			prepare(app)
			ts := apptest.Serve(app)
			var form bytes.Buffer
			m := multipart.NewWriter(&form)
			w, _ := m.CreateFormFile("f", "f.bin")
			w.Write(make([]byte, 3<<20))
			m.Close()
			res, err := http.Post(ts.URL+"/", m.FormDataContentType(), &form)
			if err != nil {
				t.Fatal(err)
			}
			io.Copy(io.Discard, res.Body)
			ts.Close()
			if left, err := os.ReadDir(os.TempDir()); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

func again(c *Context) error {
	c.SetContext(c.Context())
	return c.Next()
}

func before(h http.Handler) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(w, r)
			next.ServeHTTP(w, r)
		})
	}
}

func copied(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r.WithContext(r.Context())) })
}

// The server's own request stays as it is, for net/http looks at it again.
func TestTheServersRequestIsNotChanged(t *testing.T) {
	app := bodyApp()
	app.Post("/longer", func(c *Context) error { return c.LimitBody(100) })
	for _, path := range []string{"/read", "/limit", "/longer", "/replaced", "/nowhere"} {
		r := httptest.NewRequest("POST", path, strings.NewReader("hello"))
		r.Header.Set("Range", "bytes="+strings.Repeat("0-1,", 200)+"0-1")
		body, before := r.Body, r.Header.Clone()
		app.ServeHTTP(httptest.NewRecorder(), r)
		if r.Body != body || len(r.Header) != len(before) || r.MultipartForm != nil {
			t.Errorf("%s: the request is another", path)
		}
	}
}

// Bind, BindForm and FormFile refuse alike what counts as no value of a form.
func TestFormsOfLongNamesOrManyPartsAreRefused(t *testing.T) {
	type in struct {
		A string `form:"a"`
	}
	app := New()
	app.Post("/bind", func(c *Context) error { return c.Bind(&in{}) })
	app.Post("/form", func(c *Context) error { return c.BindForm(&in{}) })
	app.Post("/file", func(c *Context) error { _, err := c.FormFile("f"); return err })
	long, file := strings.Repeat("x", 1<<20), "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx\r\n"
	for name, tt := range map[string]struct {
		parts  string
		status int
	}{
		"fits":                 {"--b\r\nContent-Disposition: form-data; name=\"" + long[:8<<10] + "\"\r\n\r\nx\r\n", 200},
		"the name of a field":  {"--b\r\nContent-Disposition: form-data; name=\"" + long + "\"\r\n\r\nx\r\n", 413},
		"the name of a file":   {"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"" + long + "\"\r\n\r\nx\r\n", 413},
		"the field of a file":  {"--b\r\nContent-Disposition: form-data; name=\"" + long + "\"; filename=\"f\"\r\n\r\nx\r\n", 413},
		"a header of a file":   {"--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\nX: " + long + "\r\n\r\nx\r\n", 413},
		"many parts":           {strings.Repeat("--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n\r\n", 20_000), 413},
		"many headers":         {"--b\r\nContent-Disposition: form-data; name=\"x\"\r\n" + strings.Repeat("X: y\r\n", 100_000) + "\r\n\r\n", 413},
		"not a form":           {"--b\r\nContent", 400},
		"many files, all fine": {strings.Repeat(file, 100), 200},
	} {
		for _, path := range []string{"/bind", "/form", "/file"} {
			w := do(t, app, "POST", path, file+tt.parts+"--b--\r\n", "Content-Type", "multipart/form-data; boundary=b")
			if w.Code != tt.status {
				t.Errorf("%s, %s: %d %s, want %d", path, name, w.Code, w.Body, tt.status)
			}
		}
	}
}
