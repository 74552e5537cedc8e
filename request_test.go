package nextrush

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
)

func TestTheClientsAddressIsTheLastUntrustedOne(t *testing.T) {
	app := New(Options{TrustedProxies: []string{"10.0.0.0/8", "::1", "192.0.2.9"}})
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"an untrusted peer is not believed", "198.51.100.1:80", []string{"1.1.1.1"}, "198.51.100.1"},
		{"the proxy says", "10.0.0.1:80", []string{"1.1.1.1"}, "1.1.1.1"},
		{"what the client wrote is not believed", "10.0.0.1:80", []string{"6.6.6.6, 1.1.1.1, 10.2.3.4"}, "1.1.1.1"},
		{"all lines count", "10.0.0.1:80", []string{"6.6.6.6", "1.1.1.1", "192.0.2.9"}, "1.1.1.1"},
		{"all trusted", "10.0.0.1:80", []string{"10.0.0.2, 10.0.0.3"}, "10.0.0.2"},
		{"no header", "10.0.0.1:80", nil, "10.0.0.1"},
		{"nonsense ends the walk", "10.0.0.1:80", []string{"1.1.1.1, x, 10.0.0.3"}, "10.0.0.3"},
		{"a port", "10.0.0.1:80", []string{"1.1.1.1:5555"}, "1.1.1.1"},
		{"IPv6 with port and zone", "[::1]:80", []string{"[2001:db8::1%eth0]:55"}, "2001:db8::1"},
		{"IPv4 in IPv6", "[::ffff:10.0.0.1]:80", []string{"::ffff:1.1.1.1"}, "1.1.1.1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			if got := newContext(app, nil, r).IP(); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestForwardedOriginsAreThoseOfTrustedProxies(t *testing.T) {
	for _, tt := range []struct {
		trusted     []string
		proto, host string
		want        string
	}{
		{nil, "https", "evil.example", "http://example.com"},
		{[]string{"192.0.2.1"}, "https", "a.example:8443", "https://a.example:8443"},
		{[]string{"192.0.2.1"}, "wss", "", "https://example.com"},
		{[]string{"192.0.2.1"}, "javascript", "a/b", "http://example.com"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		r.Header.Set("X-Forwarded-Host", tt.host)
		c := newContext(New(Options{TrustedProxies: tt.trusted}), nil, r)
		if got := c.Scheme() + "://" + c.Host(); got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}

func TestTrustedProxiesAreCheckedAtSetUp(t *testing.T) {
	defer func() {
		if s, _ := recover().(string); !strings.Contains(s, `"localhost"`) {
			t.Fatalf("panic %q", s)
		}
	}()
	New(Options{TrustedProxies: []string{"localhost"}})
}

func TestAcceptsEncoding(t *testing.T) {
	for accept, want := range map[string]string{
		"":                              "",
		"gzip":                          "gzip",
		"gzip, zstd":                    "zstd",
		"GZIP;q=0.8, zstd;q=0.5":        "gzip",
		"zstd;q=0, gzip":                "gzip",
		"*":                             "zstd",
		"*;q=0.5, zstd;q=0":             "gzip",
		"x-gzip":                        "gzip",
		"br":                            "",
		"identity, gzip;q=0.5":          "",
		"gzip;q=x":                      "",
		"gzip;q=2":                      "",
		strings.Repeat("gzip, ", 100):   "",
		"identity;q=0.5, gzip;q=1.0":    "gzip",
		"gzip ; q=0.2 , identity;q=0.1": "gzip",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Encoding", accept)
		if got := newContext(New(), nil, r).AcceptsEncoding("zstd", "gzip"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestAcceptsLanguage(t *testing.T) {
	for accept, want := range map[string]string{
		"":                         "en",
		"de":                       "de",
		"de-AT, en;q=0.5":          "de",
		"fr, en;q=0.1":             "en",
		"pt;q=0.9, en;q=0.1":       "pt-BR",
		"PT-br":                    "pt-BR",
		"*":                        "en",
		"*;q=0.1, de;q=0.2":        "de",
		"en;q=0, *":                "de",
		"fr":                       "",
		"x-de":                     "",
		"de;q=x, en;q=0.1":         "en",
		"de;q=x":                   "en",
		strings.Repeat("de,", 100): "en",
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if accept != "" {
			r.Header.Set("Accept-Language", accept)
		}
		if got := newContext(New(), nil, r).AcceptsLanguage("en", "de", "pt-BR"); got != want {
			t.Errorf("%q: %q, want %q", accept, got, want)
		}
	}
}

func TestAccepts(t *testing.T) {
	for _, tt := range []struct {
		accept string
		types  []string
		want   string
	}{
		{"", []string{"json", "html"}, "json"},
		{"text/html", []string{"json", "html"}, "html"},
		{"text/*;q=0.5, application/json;q=0.4", []string{"json", "html"}, "html"},
		{"*/*, application/json;q=0", []string{"json", "html"}, "html"},
		{"image/png", []string{"json"}, ""},
		{"text/html;q=x, */*;q=0.1", []string{"text/html"}, "text/html"},
		{"TEXT/HTML", []string{"text/html"}, "text/html"},
		{"text/html;level=1;q=0.1, */*;q=0.2", []string{"text/html", "text/css"}, "text/css"},
		{"text/html;q=NaN", []string{"text/html"}, "text/html"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		if tt.accept != "" {
			r.Header.Set("Accept", tt.accept)
		}
		if got := newContext(New(), nil, r).Accepts(tt.types...); got != tt.want {
			t.Errorf("%s %v: got %q, want %q", tt.accept, tt.types, got, tt.want)
		}
	}
}

func TestIsReadsTheContentTypeOnce(t *testing.T) {
	for _, tt := range []struct {
		header, want string
		is           bool
	}{
		{"application/json", "json", true}, {"Application/JSON ; charset=x", "application/json", true},
		{"application/problem+json", "json", true}, {"application/jsonx", "json", false},
		{"text/html", "text/*", true}, {"", "json", false}, {"multipart/form-data; boundary=x", "multipart", true},
		{"application/x-www-form-urlencoded", "form", true}, {"text/plain, application/json", "json", false},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("Content-Type", tt.header)
		if got := newContext(New(), nil, r).Is(tt.want); got != tt.is {
			t.Errorf("%q is %q: %v", tt.header, tt.want, got)
		}
	}
}

func TestParamsQueriesAndHeaders(t *testing.T) {
	app := New()
	app.Get("/:a/*path", func(c *Context) error {
		id := c.ID()
		if id == "" || c.ID() != id || c.Route() != "/:a/*path" || c.App() != app {
			t.Error("id, route or app")
		}
		return c.Text(strings.Join([]string{c.Param("a"), c.Param("path"), c.Param("none"), c.Query("q"), c.Query("z", "d"),
			c.Cookie("k"), c.Cookie("none"), c.UserAgent(), c.Method(), c.Path()}, "|"))
	})
	w := do(t, app, "GET", "/x/y/z?q=1&q=2", "", "Cookie", "k=v", "User-Agent", "ua")
	if got := w.Body.String(); got != "x|y/z||1|d|v||ua|GET|/x/y/z" {
		t.Fatalf("got %s", got)
	}
}

func TestTheBodyLimitHoldsForWrappedHandlers(t *testing.T) {
	app := New(Options{BodyLimit: 3})
	app.Post("/raw", WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, 10)
		n, _ := r.Body.Read(b)
		w.Write(b[:n])
	})))
	app.Post("/body", func(c *Context) error {
		b, err := c.Body()
		if again, _ := c.Body(); string(again) != string(b) {
			t.Error("the second reading differs")
		}
		if err != nil {
			return err
		}
		return c.Blob("text/plain", b)
	})
	if got := do(t, app, "POST", "/raw", "12345").Body.String(); len(got) > 3 {
		t.Errorf("raw: %q", got)
	}
	if w := do(t, app, "POST", "/body", "123"); w.Code != 200 || w.Body.String() != "123" {
		t.Errorf("at the limit: %d %s", w.Code, w.Body)
	}
	if w := do(t, app, "POST", "/body", "1234"); w.Code != 413 {
		t.Errorf("over the limit: %d", w.Code)
	}
}

func TestUploadedFilesAreRemovedWithARequestThatWasReplaced(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	app := New()
	app.Use(func(c *Context) error {
		c.SetContext(context.WithValue(c.Context(), new(int), 1))
		return c.Next()
	})
	app.Post("/", func(c *Context) error {
		if _, err := c.FormFile("f"); err != nil {
			return err
		}
		files, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		return c.Text(strconv.Itoa(len(files)))
	})
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	part, _ := form.CreateFormFile("f", "f")
	part.Write(make([]byte, 2<<20))
	form.Close()
	r := httptest.NewRequest("POST", "/", &b)
	r.Header.Set("Content-Type", form.FormDataContentType())
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	left, err := os.ReadDir(dir)
	if w.Body.String() != "1" || len(left) > 0 || err != nil {
		t.Errorf("%d %s, left %v %v", w.Code, w.Body, left, err)
	}
}

func TestCookiesAreAllOfAName(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error { return c.JSON(c.Cookies("k")) })
	for cookies, want := range map[string]string{
		"k=a; x=1; k=b; k=":                   `["a","b",""]`,
		"x=1":                                 "null",
		strings.Repeat("k=v; ", 1000) + "x=1": `["v"` + strings.Repeat(`,"v"`, 49) + "]",
	} {
		if w := do(t, app, "GET", "/", "", "Cookie", cookies); strings.TrimSpace(w.Body.String()) != want {
			t.Errorf("%.20s: %s", cookies, w.Body)
		}
	}
}
