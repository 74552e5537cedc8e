package nextrush

import (
	"html/template"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// answer serves one request with h and returns the response.
func answer(t *testing.T, h Handler, header ...string) (code int, got http.Header, body string) {
	t.Helper()
	app := New()
	app.Get("/", h)
	w := do(t, app, "GET", "/?page=2&q=x", "", header...)
	return w.Code, w.Header(), w.Body.String()
}

func TestResponses(t *testing.T) {
	for _, tt := range []struct {
		name   string
		h      Handler
		status int
		header string // "Name: value"
		body   string
	}{
		{"JSON", func(c *Context) error { return c.Status(201).JSON([]int{1}) }, 201, "Content-Type: application/json; charset=utf-8", "[1]\n"},
		{"JSON that fails", func(c *Context) error { return c.JSON(func() {}) }, 500, "Content-Type: application/problem+json", ""},
		{"text", text("hi"), 200, "Content-Type: text/plain; charset=utf-8", "hi"},
		{"HTML", func(c *Context) error { return c.HTML("<p>") }, 200, "Content-Type: text/html; charset=utf-8", "<p>"},
		{"XML", func(c *Context) error { return c.XML(FieldError{}) }, 200, "Content-Type: application/xml; charset=utf-8", ""},
		{"CSV", func(c *Context) error { return c.CSV([][]string{{"a", "b,c"}}, "x.csv") }, 200,
			`Content-Disposition: attachment; filename="x.csv"`, "a,\"b,c\"\n"},
		{"bytes", func(c *Context) error { return c.Send([]byte("b")) }, 200, "Content-Type: application/octet-stream", "b"},
		{"a reader", func(c *Context) error { return c.Send(strings.NewReader("r")) }, 200, "Content-Type: application/octet-stream", "r"},
		{"nothing", func(c *Context) error { return c.Send(nil) }, 204, "", ""},
		{"a value", func(c *Context) error { return c.Send(1) }, 200, "Content-Type: application/json; charset=utf-8", "1\n"},
		{"a type of its own", func(c *Context) error { return c.Type("css").Text("x") }, 200, "Content-Type: text/css; charset=utf-8", "x"},
		{"redirect", func(c *Context) error { return c.Redirect("/x") }, 302, "Location: /x", ""},
		{"redirect with CRLF", func(c *Context) error { return c.Redirect("/\\x\r\nA: b", 303) }, 303, "Location: /%5Cx%0D%0AA:%20b", ""},
		{"redirect with a wrong status", func(c *Context) error { return c.Redirect("/", 200) }, 500, "", ""},
		{"cache", func(c *Context) error { return c.CacheFor(90 * time.Second).Text("") }, 200, "Cache-Control: public, max-age=90", ""},
		{"no cache", func(c *Context) error { return c.NoCache().Text("") }, 200, "Cache-Control: no-store", ""},
		{"cookie", func(c *Context) error { return c.SetCookie(&http.Cookie{Name: "a", Value: "b"}).Text("") }, 200, "Set-Cookie: a=b; Path=/", ""},
		{"success", func(c *Context) error { return c.Success(1, "ok") }, 200, "", `{"success":true,"data":1,"message":"ok"}` + "\n"},
		{"failure", func(c *Context) error { return c.Fail(418, "no", "why") }, 418, "", ""},
		{"a page of a list", func(c *Context) error { return c.Paginate([]int{3, 4}, 2, 2, 5) }, 200, `Link: <?page=1&q=x>; rel="prev"`,
			`{"success":true,"data":[3,4],"pagination":{"page":2,"limit":2,"total":5,"totalPages":3,"hasNext":true,"hasPrev":true}}` + "\n"},
		{"vary once", func(c *Context) error { return c.Vary("Accept", "accept").Text("") }, 200, "Vary: Accept", ""},
		{"render without a renderer", func(c *Context) error { return c.Render("x", nil) }, 500, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, header, body := answer(t, tt.h)
			name, value, _ := strings.Cut(tt.header, ": ")
			if code != tt.status || name != "" && header.Get(name) != value || tt.body != "" && body != tt.body {
				t.Errorf("%d %v\n%s", code, header, body)
			}
		})
	}
}

// Browsers ignore a cookie of these names without Secure, so it would stay.
func TestClearCookieClearsThoseOfSecureNames(t *testing.T) {
	for name, want := range map[string]bool{"__Host-token": true, "__secure-token": true, "token": false} {
		_, h, _ := answer(t, func(c *Context) error { return c.ClearCookie(name).NoContent() })
		cookie, err := http.ParseSetCookie(h.Get("Set-Cookie"))
		if err != nil || cookie.Secure != want || cookie.MaxAge != -1 || cookie.Path != "/" {
			t.Errorf("%s: %+v %v", name, cookie, err)
		}
	}
}

func TestFileSendsExactlyThatFile(t *testing.T) {
	dir, secret := t.TempDir(), filepath.Join(t.TempDir(), "secret")
	os.WriteFile(secret, []byte("secret"), 0o600)
	os.WriteFile(filepath.Join(dir, "a.txt"), []byte("hello"), 0o600)
	os.Symlink(secret, filepath.Join(dir, "link"))
	for _, tt := range []struct {
		name, path, wantBody string
		status               int
	}{
		{"a file", "a.txt", "hello", 200},
		{"a missing file", "b.txt", "", 404},
		{"a directory", ".", "", 404},
		{"a link that leads out", "link", "", 404},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, _, body := answer(t, func(c *Context) error { return c.File(dir + "/" + tt.path) })
			if code != tt.status || tt.wantBody != "" && body != tt.wantBody || strings.Contains(body, "secret") {
				t.Errorf("%d %s", code, body)
			}
		})
	}
	code, header, body := answer(t, func(c *Context) error { return c.Download(dir+"/a.txt", "b.txt") }, "Range", "bytes=1-2")
	if code != 206 || body != "el" || header.Get("Content-Disposition") != `attachment; filename="b.txt"` {
		t.Errorf("%d %v %s", code, header, body)
	}
	code, header, _ = answer(t, func(c *Context) error { return c.Download(dir+"/a.txt", "../") })
	if code != 200 || header.Get("Content-Disposition") != `attachment; filename="a.txt"` {
		t.Errorf("a name that is none: %d %v", code, header)
	}
	code, header, _ = answer(t, func(c *Context) error { return c.Download(dir + "/none") })
	if code != 404 || header.Get("Content-Disposition") != "" {
		t.Errorf("%d %v", code, header)
	}
}

type templates struct{ *template.Template }

func (r templates) Render(w io.Writer, name string, data any, _ *Context) error {
	return r.ExecuteTemplate(w, name, data)
}

func TestRender(t *testing.T) {
	app := New(Options{Renderer: templates{template.Must(template.New("x").Parse("<b>{{.}}</b>{{if eq . `bad`}}{{.None}}{{end}}"))}})
	app.Get("/:name", func(c *Context) error { return c.Render("x", c.Param("name")) })
	if got := do(t, app, "GET", "/<", "").Body.String(); got != "<b>&lt;</b>" {
		t.Errorf("got %s", got)
	}
	if w := do(t, app, "GET", "/bad", ""); w.Code != 500 || strings.Contains(w.Body.String(), "<b>") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestRedirectTo(t *testing.T) {
	app := New()
	app.Get("/users/:id", text("")).Named("user")
	app.Get("/home", text("")).Named("home")
	for path, tt := range map[string]struct {
		h    Handler
		code int
		to   string
	}{
		"/a": {func(c *Context) error { return c.RedirectTo("user", "a b/c") }, 302, "/users/a%20b%2Fc"},
		"/b": {func(c *Context) error { return c.Status(303).RedirectTo("user", 7, url.Values{"q": {"a&b", "c"}}) }, 303, "/users/7?q=a%26b&q=c"},
		"/c": {func(c *Context) error { return c.RedirectTo("home", url.Values{}) }, 302, "/home"},
		"/d": {func(c *Context) error { return c.RedirectTo("none") }, 500, ""},
		"/e": {func(c *Context) error { return c.RedirectTo("user") }, 500, ""},
		"/f": {func(c *Context) error { return c.Status(200).RedirectTo("home") }, 500, ""},
	} {
		app.Get(path, tt.h)
		if w := do(t, app, "GET", path, ""); w.Code != tt.code || w.Header().Get("Location") != tt.to {
			t.Errorf("%s: %d %q", path, w.Code, w.Header().Get("Location"))
		}
	}
}

func TestHostname(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error { return c.Text(c.Host() + " " + c.Hostname()) })
	for host, want := range map[string]string{
		"a.test": "a.test", "a.test:80": "a.test", "[::1]:80": "::1", "[::1]": "::1", "10.0.0.1:3000": "10.0.0.1", "a.test:": "a.test",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		w := httptest.NewRecorder()
		if app.ServeHTTP(w, r); w.Body.String() != host+" "+want {
			t.Errorf("%s: %s", host, w.Body)
		}
	}
}
