package middleware_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// A mounted App is under the options of the one that serves, its sockets too.
func TestTheAppThatServesSaysWhomToTrust(t *testing.T) {
	sub := nextrush.New()
	sub.EnableWebSocket(websocket.Options{})
	sub.Use(middleware.CSRF(), middleware.CORS(middleware.CORSOptions{Credentials: true}))
	sub.WS("/socket", func(s *websocket.Socket, c *nextrush.Context) error { return s.Send(s.IP() + " " + c.IP()) })
	sub.Post("/form", text("ok"))
	app := nextrush.New(nextrush.Options{TrustedOrigins: []string{"https://listed.example"}, TrustedHops: 1})
	app.Mount("/sub", sub)
	client := nextrushtest.New(t, app)
	dial := func(from string) *websocket.DialOptions {
		return &websocket.DialOptions{Header: http.Header{
			"Origin": {from}, "X-Forwarded-For": {"192.0.2.7"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"public.example"},
		}}
	}
	for _, from := range []string{"https://listed.example", "https://public.example"} {
		client.Dial("/sub/socket", dial(from)).Expect("192.0.2.7 192.0.2.7")
		client.Dial("/sub/socket", dial(from)).Expect("192.0.2.7 192.0.2.7")
	}
	if err := client.DialError("/sub/socket", dial("https://evil.example")); err.Status != 403 {
		t.Errorf("another's socket: %d", err.Status)
	}
	r := httptest.NewRequest("POST", "/sub/form", nil)
	r.Header.Set("Origin", "https://listed.example")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	if app.ServeHTTP(w, r); w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") == "" {
		t.Errorf("a form: %d %v", w.Code, w.Header())
	}
}
