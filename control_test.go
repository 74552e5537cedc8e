package nextrush

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

func TestControlCharactersAreNotSentInHeaders(t *testing.T) {
	const bad, want = "a\x00b\vc\x7fd\x1be\tf\u00e9", "a b c d e\tf\u00e9"
	set := func(c *Context) { c.SetHeader("X", bad) }
	app := New().EnableWebSocket(websocket.Options{})
	for path, h := range map[string]Handler{
		"/set":    func(c *Context) error { set(c); return c.Text("") },
		"/append": func(c *Context) error { return c.Append("X", bad).Text("") },
		"/map":    func(c *Context) error { c.Writer().Header()["X"] = []string{bad}; return c.NoContent() },
		"/type":   func(c *Context) error { c.SetHeader("X", want); return c.Blob("text/"+bad, nil) },
		"/silent": func(c *Context) error { set(c); return nil },
		"/write":  func(c *Context) error { set(c); _, err := io.WriteString(c.Writer(), "x"); return err },
		"/flush":  func(c *Context) error { set(c); return http.NewResponseController(c.Writer()).Flush() },
		"/cookie": func(c *Context) error {
			set(c)
			return c.SetCookie(&http.Cookie{Name: "n", Value: bad, Path: "/" + bad}).Text("")
		},
		"/location": func(c *Context) error { set(c); return c.Redirect("/set?" + bad) },
		"/download": func(c *Context) error { set(c); return c.CSV(nil, bad) },
		"/error":    func(*Context) error { return &HTTPError{Status: 409, Header: http.Header{"X": {bad}}} },
		"/early":    func(c *Context) error { set(c); c.Writer().WriteHeader(http.StatusEarlyHints); return c.Text("") },
		"/wrapped":  WrapHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", bad) })),
	} {
		app.Get(path, h)
		app.With(timeout(60e9)).Get("/held"+path, h)
	}
	app.With(func(c *Context) error { set(c); return c.Next() }).WS("/socket", func(*websocket.Socket, *Context) error { return nil })
	for _, http2 := range []bool{false, true} {
		ts := httptest.NewUnstartedServer(app)
		ts.EnableHTTP2 = http2
		ts.StartTLS()
		defer ts.Close()
		client := ts.Client()
		client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		for _, r := range app.Routes() {
			if r.WebSocket || r.Path == "/held/flush" {
				continue
			}
			res, err := client.Get(ts.URL + r.Path)
			if err != nil {
				t.Errorf("HTTP/2 %t, %s: %v", http2, r.Path, err)
				continue
			}
			res.Body.Close()
			if got := res.Header.Get("X"); got != want {
				t.Errorf("HTTP/2 %t, %s: %q, want %q", http2, r.Path, got, want)
			}
			if all := fmt.Sprintf("%q", res.Header); strings.Contains(all, `\x`) || strings.Contains(all, `\v`) {
				t.Errorf("HTTP/2 %t, %s: %s", http2, r.Path, all)
			}
		}
	}
	ts := served(t, app)
	s, err := websocket.Dial(t.Context(), "ws"+strings.TrimPrefix(ts.URL, "http")+"/socket", nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close(1000, "")
}
