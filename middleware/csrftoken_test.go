package middleware_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

var csrfSecret = []byte("0123456789abcdef0123456789abcdef")

// tokenApp gives out tokens at GET / and reads forms at POST /. A session is
// what the header Session says.
func tokenApp(secret []byte) *nextrush.App {
	app := nextrush.New()
	app.Use(middleware.CSRF(middleware.CSRFOptions{
		Secret:  secret,
		Session: func(c *nextrush.Context) string { return c.Header("Session") },
	}))
	app.Get("/", func(c *nextrush.Context) error { return c.Text(middleware.CSRFToken(c)) })
	app.Post("/", func(c *nextrush.Context) error {
		var in struct {
			Name string `form:"name"`
		}
		if c.Header("Content-Type") == "" {
			return c.NoContent()
		}
		if err := c.BindForm(&in); err != nil {
			return err
		}
		return c.Text(in.Name)
	})
	app.Post("/raw", func(c *nextrush.Context) error { return c.Stream("text/plain", c.Request().Body) })
	return app
}

// page loads a token and the cookie that belongs to it.
func page(t *testing.T, app *nextrush.App, header ...string) (token string, cookie *http.Cookie) {
	t.Helper()
	w := ask(app, "/", header...)
	cookies := w.Result().Cookies()
	if len(cookies) != 1 || w.Body.Len() == 0 || w.Header().Get("Vary") != "Cookie" {
		t.Fatalf("%d %v %q", w.Code, w.Header(), w.Body)
	}
	return w.Body.String(), cookies[0]
}

func post(app *nextrush.App, target, contentType, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("POST", target, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	return w
}

const urlencoded = "application/x-www-form-urlencoded"

func TestCSRFTokenIsAskedForWhereverTheRequestComesFrom(t *testing.T) {
	app := tokenApp(csrfSecret)
	token, cookie := page(t, app, "Session", "s1")
	other, otherCookie := page(t, app, "Session", "s2")
	foreign, foreignCookie := page(t, tokenApp([]byte(strings.Repeat("x", 32))), "Session", "s1")
	for name, test := range map[string]struct {
		token   string
		cookie  *http.Cookie
		session string
		want    int
	}{
		"right":                        {token, cookie, "s1", 204},
		"no token":                     {"", cookie, "s1", 403},
		"no cookie":                    {token, nil, "s1", 403},
		"the cookie as token":          {cookie.Value, cookie, "s1", 403},
		"another browser's token":      {other, cookie, "s1", 403},
		"both planted by another":      {other, otherCookie, "s1", 403},
		"another session, after login": {token, cookie, "s2", 403},
		"made with another secret":     {foreign, foreignCookie, "s1", 403},
		"cut":                          {token[:len(token)-2], cookie, "s1", 403},
		"longer":                       {token + "AA", cookie, "s1", 403},
		"one bit off":                  {flip(token), cookie, "s1", 403},
		"not base64":                   {"%%%", cookie, "s1", 403},
		"an empty cookie":              {token, &http.Cookie{Name: cookie.Name}, "s1", 403},
	} {
		header := []string{"X-CSRF-Token", test.token, "Session", test.session}
		if test.cookie != nil {
			header = append(header, "Cookie", test.cookie.Name+"="+test.cookie.Value)
		}
		if w := post(app, "/", "", "", header...); w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestCSRFTokenRefusalSaysWhatToSend(t *testing.T) {
	app := tokenApp(csrfSecret)
	token, cookie := page(t, app)
	if w := post(app, "/", "", "", "Cookie", cookie.Name+"="+cookie.Value); !strings.Contains(w.Body.String(), "field csrf_token or the header X-CSRF-Token") {
		t.Error("without a token:", w.Body)
	}
	if w := post(app, "/", "", "", "X-CSRF-Token", token); !strings.Contains(w.Body.String(), "cookie") {
		t.Error("without a cookie:", w.Body)
	}
}

func flip(token string) string {
	if token[0] == 'A' {
		return "B" + token[1:]
	}
	return "A" + token[1:]
}

func TestCSRFTokenLooksDifferentEachTime(t *testing.T) {
	app := tokenApp(csrfSecret)
	token, cookie := page(t, app)
	w := ask(app, "/", "Cookie", cookie.Name+"="+cookie.Value)
	again := w.Body.String()
	if again == token || again[:43] == token[:43] || again[43:] == token[43:] {
		t.Errorf("%s and %s", token, again)
	}
	if len(w.Result().Cookies()) > 0 {
		t.Error("the browser got another cookie")
	}
	for _, token := range []string{token, again} {
		if w := post(app, "/", "", "", "X-CSRF-Token", token, "Cookie", cookie.Name+"="+cookie.Value); w.Code != 204 {
			t.Errorf("%s: %d", token, w.Code)
		}
	}
}

func TestCSRFTokenInAFormLeavesTheBodyToTheHandler(t *testing.T) {
	app := tokenApp(csrfSecret)
	token, cookie := page(t, app)
	sent := cookie.Name + "=" + cookie.Value
	form := url.Values{"csrf_token": {token}, "name": {"ada"}}.Encode()
	if w := post(app, "/", urlencoded, form, "Cookie", sent); w.Code != 200 || w.Body.String() != "ada" {
		t.Errorf("urlencoded: %d %s", w.Code, w.Body)
	}
	if w := post(app, "/raw", urlencoded, form, "Cookie", sent); w.Code != 200 || w.Body.String() != form {
		t.Errorf("raw: %d %s", w.Code, w.Body)
	}
	var b bytes.Buffer
	parts := multipart.NewWriter(&b)
	for name, value := range map[string]string{"csrf_token": token, "name": "ada"} {
		part, _ := parts.CreateFormField(name)
		io.WriteString(part, value)
	}
	parts.Close()
	if w := post(app, "/", parts.FormDataContentType(), b.String(), "Cookie", sent); w.Code != 200 || w.Body.String() != "ada" {
		t.Errorf("multipart: %d %s", w.Code, w.Body)
	}
	for name, test := range map[string]struct {
		contentType, body string
		want              int
	}{
		"a form without token":      {urlencoded, "name=ada", 403},
		"in the query":              {urlencoded, "", 403},
		"a form of too many fields": {urlencoded, strings.Repeat("&", 10_000), 413},
		"a body over the limit":     {urlencoded, strings.Repeat("a", 5<<20), 413},
		"malformed multipart":       {"multipart/form-data; boundary=x", "y", 400},
		"multipart without its end": {parts.FormDataContentType(), b.String()[:b.Len()-9], 400},
		"in JSON":                   {"application/json", `{"csrf_token":"` + token + `"}`, 403},
	} {
		w := post(app, "/?csrf_token="+token, test.contentType, test.body, "Cookie", sent)
		if w.Code != test.want {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
}

func TestCSRFCookieOverHTTPSIsThisHostsAlone(t *testing.T) {
	app := tokenApp(csrfSecret)
	for want, state := range map[string]*tls.ConnectionState{"csrf": nil, "__Host-csrf": new(tls.ConnectionState)} {
		r := httptest.NewRequest("GET", "/", nil)
		r.TLS = state
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		got := w.Result().Cookies()[0]
		if got.Name != want || !got.HttpOnly || got.Path != "/" || got.SameSite != http.SameSiteLaxMode || got.Domain != "" || got.Secure != (state != nil) {
			t.Errorf("%s", got)
		}
	}
}

func TestCSRFTokenIsEmptyWithoutASecret(t *testing.T) {
	w := ask(tokenApp(nil), "/")
	if w.Body.Len() > 0 || len(w.Result().Cookies()) > 0 {
		t.Errorf("%q %v", w.Body, w.Header())
	}
}

func ExampleCSRFToken() {
	app := nextrush.New()
	app.Use(middleware.CSRF(middleware.CSRFOptions{Secret: []byte("32 random bytes or more, from a secret store")}))
	app.Get("/", func(c *nextrush.Context) error {
		return c.HTML(`<form method="post"><input type="hidden" name="csrf_token" value="` + middleware.CSRFToken(c) + `">`)
	})
	fmt.Println(len(ask(app, "/").Result().Cookies()))
	// Output: 1
}

// Under the race detector: a handler that comes too late asks beside those before.
func TestALateHandlerMayAskForAToken(t *testing.T) {
	app := nextrush.New()
	var late sync.WaitGroup
	app.Use(middleware.CSRF(middleware.CSRFOptions{Secret: make([]byte, 32)}), func(c *nextrush.Context) error {
		err := c.Next()
		middleware.CSRFToken(c)
		return err
	}, nextrush.WrapMiddleware(func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			late.Go(func() { next.ServeHTTP(httptest.NewRecorder(), r) })
		})
	}))
	app.Get("/", func(c *nextrush.Context) error {
		middleware.CSRFToken(c)
		return nil
	})
	for range 50 {
		ask(app, "/")
	}
	late.Wait()
}

func TestCSRFTokenLooksAtAllCookiesOfItsName(t *testing.T) {
	app := tokenApp(csrfSecret)
	token, cookie := page(t, app)
	_, another := page(t, app)
	own, other := "csrf="+cookie.Value, "csrf="+another.Value
	for _, cookies := range []string{"csrf=junk; " + own, "csrf=; " + own, other + "; " + own, own + "; csrf=junk"} {
		if w := post(app, "/", "", "", "X-CSRF-Token", token, "Cookie", cookies); w.Code != 204 {
			t.Errorf("%s: %d", cookies, w.Code)
		}
		again := ask(app, "/", "Cookie", cookies)
		if len(again.Result().Cookies()) > 0 {
			t.Errorf("%s: %q", cookies, again.Header()["Set-Cookie"])
		}
		if w := post(app, "/", "", "", "X-CSRF-Token", again.Body.String(), "Cookie", cookies); w.Code != 204 {
			t.Errorf("%s: %d with the token of that page", cookies, w.Code)
		}
	}
	if w := post(app, "/", "", "", "X-CSRF-Token", token, "Cookie", "csrf=junk; "+other); w.Code != 403 {
		t.Errorf("cookies of others: %d", w.Code)
	}
}
