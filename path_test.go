package nextrush

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

func showParams(c *Context) error {
	out := c.Route()
	for _, name := range []string{"id", "rest"} {
		if v := c.Param(name); v != "" {
			out += " " + name + "=" + v
		}
	}
	return c.Text(out)
}

// RFC 3986 §2.2: a reserved character that is encoded is data.
func TestAnEncodedSlashBelongsToItsSegment(t *testing.T) {
	app := New()
	for _, path := range []string{"/u/:id", "/u/:id/posts", "/v:id", "/dir/:id/", "/files/:id/*rest", "/new/x", "/nul/\x01"} {
		app.Get(path, showParams)
	}
	app.Post("/u/:id/posts", showParams)
	for _, tt := range []struct {
		path     string
		status   int
		want     string
		location string
	}{
		{"/u/a%2Fb", 200, "/u/:id id=a/b", ""},
		{"/u/a%2fb", 200, "/u/:id id=a/b", ""},
		{"/u/http%3A%2F%2Fx%2F", 200, "/u/:id id=http://x/", ""},
		{"/u/a%2Fposts", 200, "/u/:id id=a/posts", ""},
		{"/u/a%2Fb/posts", 200, "/u/:id/posts id=a/b", ""},
		{"/u/a%2F", 200, "/u/:id id=a/", ""},
		{"/u/%2F", 200, "/u/:id id=/", ""},
		{"/u/a%252Fb", 200, "/u/:id id=a%2Fb", ""},
		{"/u/a%00%2F%01b", 200, "/u/:id id=a\x00/\x01b", ""},
		{"/u/a%20%2F%e2%82%ac", 200, "/u/:id id=a /€", ""},
		{"/va%2Fb", 200, "/v:id id=a/b", ""},
		{"/u%2Fa", 404, "", ""},
		{"/new%2Fx", 404, "", ""},
		{"/nul%2F", 404, "", ""},
		{"/nul/%2F", 404, "", ""},
		{"/files/a%2Fb/c%2Fd/e", 200, "/files/:id/*rest id=a/b rest=c/d/e", ""},
		{"/u/a%2Fb/", 308, "", "/u/a%2Fb"},
		{"/dir/a%2Fb%20%3B", 308, "", "/dir/a%2Fb%20;/"},
		{"//u/a%2Fb?x=%2F", 308, "", "/u/a%2Fb?x=%2F"},
		{"/%2Fevil.example/../u/%2Fevil", 308, "", "/u/%2Fevil"},
	} {
		w := do(t, app, "GET", tt.path, "")
		if w.Code != tt.status || tt.status == 200 && w.Body.String() != tt.want || w.Header().Get("Location") != tt.location {
			t.Errorf("%s: %d %q %s, want %d %q %s", tt.path, w.Code, w.Header().Get("Location"), w.Body, tt.status, tt.location, tt.want)
		}
	}
	for path, allow := range map[string]string{"/u/a%2Fb": "GET, HEAD, OPTIONS", "/u/a%2Fb/posts": "GET, HEAD, OPTIONS, POST"} {
		if w := do(t, app, "DELETE", path, ""); w.Code != 405 || w.Header().Get("Allow") != allow {
			t.Errorf("%s: %d %s", path, w.Code, w.Header().Get("Allow"))
		}
	}
}

// What is in RawPath counts only if it says the same as Path (net/url.URL.EscapedPath).
func TestARawPathThatDoesNotFitItsPathIsIgnored(t *testing.T) {
	app := New()
	app.Get("/u/:id", showParams)
	r := httptest.NewRequest("GET", "/u/a%2Fb", nil)
	r.URL.Path = "/u/c"
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Body.String() != "/u/:id id=c" {
		t.Error(w.Body)
	}
}

func TestWhatURLMakesIsRouted(t *testing.T) {
	app := New()
	app.Get("/u/:id", showParams).Named("param")
	app.Get("/a b,%&/:id/x", showParams).Named("text")
	app.Get("/files/*rest", showParams).Named("rest")
	sub := New()
	sub.Get("/:id", showParams).Named("sub")
	app.Group("/g").Mount("/m%2F", sub)
	for _, value := range []string{
		"a/b", "/", "//", "a/", "/a", "http://x/?q#f", "100%", "a%2Fb", "%2F/", "\x00", "\x00/\x01", "\x00\x01/", "\xff/\xfe",
		"a b/ü", "...", "..a/b", "a;b,c/d", "+", "~", "a\\b", "\r\n/",
	} {
		for name, want := range map[string]string{
			"param": "/u/:id id=" + value, "text": "/a b,%&/:id/x id=" + value, "sub": "/g/m%2F/:id id=" + value,
			"rest": strings.TrimSuffix("/files/*rest rest="+strings.TrimPrefix(value, "/"), " rest="),
		} {
			path, err := app.URL(name, value)
			if err != nil {
				t.Errorf("%s %q: %v", name, value, err)
				continue
			}
			if w := do(t, app, "GET", path, ""); w.Body.String() != want {
				t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
			}
		}
	}
	for _, value := range []string{"", ".", "..", "../etc", "a/..", "a/./b", `..\etc`} {
		if path, err := app.URL("param", value); err == nil {
			t.Errorf("%q: %s, which is not routed", value, path)
		}
	}
}

func TestURLStaysOnThisHost(t *testing.T) {
	app := New()
	app.Get("/*rest", showParams).Named("rest")
	for _, value := range []string{"//evil.example", "///evil.example", "/", "//"} {
		path, err := app.URL("rest", value)
		if err != nil || strings.HasPrefix(path, "//") {
			t.Errorf("%q: %q, %v", value, path, err)
		}
		if w := do(t, app, "GET", path, ""); w.Code != 200 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

// filepath.Join(dir, c.Param("id")) must stay in dir.
func TestADotSegmentIsNoValueOfAParameter(t *testing.T) {
	app := New()
	app.Get("/u/:id", showParams)
	app.Get("/u/:id/x", showParams)
	app.Get("/v:id", showParams)
	for _, value := range []string{
		"..", ".", "%2e%2e", "%2E%2e", ".%2e", "%2e", "..%2fetc", "%2e%2e%2Fetc", "a%2F..%2F..%2Fetc", "a%2F..", "%2F..%2F", ".%2F", "a%2f.%2fb",
		"..%5Cetc", `a%5C%2e%2e`, "a%2F..%5Cb",
	} {
		for _, path := range []string{"/u/" + value, "/u/" + value + "/x", "/v" + value} {
			if w := do(t, app, "GET", path, ""); w.Code == 200 {
				t.Errorf("%s: %s", path, w.Body)
			}
		}
	}
	for _, value := range []string{"...", "..a", "a..", ".a", "a.", "..%2Ea", "a%2F...", ".git%2F..a"} {
		if w := do(t, app, "GET", "/u/"+value, ""); w.Code != 200 {
			t.Errorf("%s: %d", value, w.Code)
		}
	}
}

// A catch-all is a path, in which an encoded slash is a slash: it must not lead past
// the route that has the path with slashes.
func TestAnEncodedSlashInACatchAllLeadsPastNoRoute(t *testing.T) {
	files := fstest.MapFS{"private/x": {Data: []byte("secret")}, "a/b": {Data: []byte("public")}}
	for name, mount := range map[string]func(*App){
		"mounted": func(app *App) { app.Mount("/files", http.FileServerFS(files)) },
		"a route": func(app *App) {
			app.Any("/files/*path", func(c *Context) error { return c.Send(string(files[c.Param("path")].Data)) })
		},
		"at the root": func(app *App) {
			app.Mount("/", http.StripPrefix("/files", http.FileServerFS(files)))
		},
	} {
		app := New()
		app.Any("/files/private/*path", func(*Context) error { return NewError(403) })
		mount(app)
		for _, path := range []string{
			"/files/private%2Fx", "/files/private%2fx", "/files%2Fprivate/x", "/files%2Fprivate%2Fx", "/files/%2Fprivate%2Fx",
			"/files/a%2F..%2Fprivate%2Fx", "/files/%2e%2Fprivate%2Fx", "/files/%70rivate%2Fx", "/files/private%2F%2Fx", "/files/private%2F.%2Fx",
			"/files/private%2F/x", "/files/private%2F%2e/x", "/x%2F..%2Ffiles%2Fprivate%2Fx", "/%2Ffiles%2Fprivate%2Fx", "//files/private%2Fx",
		} {
			for _, method := range []string{"GET", "POST"} {
				for hops := 0; path != "" && hops < 5; hops++ {
					w := do(t, app, method, path, "")
					if strings.Contains(w.Body.String(), "secret") {
						t.Errorf("%s: %s %s: %d %s", name, method, path, w.Code, w.Body)
					}
					path = w.Header().Get("Location")
				}
			}
		}
		if w := do(t, app, "GET", "/files/a%2Fb", ""); w.Body.String() != "public" {
			t.Errorf("%s: a%%2Fb: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestMountedHandlersGetThePathAsItWasSent(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/{id}", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.PathValue("id"), " ", r.URL.EscapedPath())
	})
	app := New()
	app.Mount("/m", mux)
	app.Group("/t/:tenant").Mount("/m", mux)
	for path, want := range map[string]string{
		"/m/a%2Fb":          "a/b /a%2Fb",
		"/m/a%3Bb":          "a;b /a%3Bb",
		"/m/a%20b":          "a b /a%20b",
		"/t/x%2Fy/m/a%2Fb":  "a/b /a%2Fb",
		"/t/x%2Fy/m/a":      "a /a",
		"/%6D/a%2Fb":        "a/b /a%2Fb",
		"/t/x%2Fy/%6d/%61":  "a /%61",
		"/m/a%252Fb%2F%00c": "a%2Fb/\x00c /a%252Fb%2F%00c",
	} {
		if w := do(t, app, "GET", path, ""); w.Body.String() != want {
			t.Errorf("%s: %d %q, want %q", path, w.Code, w.Body, want)
		}
	}
	if to := do(t, app, "GET", "/m/a%2Fb//", "").Header().Get("Location"); to != "/m/a%2Fb/" {
		t.Errorf("Location %q", to)
	}
}

func TestAnEncodedSlashCostsOrdinaryPathsNothing(t *testing.T) {
	app := New()
	app.Get("/u/:id", func(*Context) error { return nil })
	table := app.buildTable()
	r := httptest.NewRequest("GET", "/u/1", nil)
	c := newContext(app, nil, r)
	if n := testing.AllocsPerRun(100, func() { table.match(c) }); n != 1 { // the parameters
		t.Errorf("%v allocations", n)
	}
}
