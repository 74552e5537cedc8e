package middleware_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// upstream serves h on a port until the test ends.
func upstream(t testing.TB, h http.HandlerFunc) string {
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return server.URL
}

// front is an App all of whose requests go to the target.
func front(target string, opts ...middleware.ReverseProxyOptions) *nextrush.App {
	app := nextrush.New(nextrush.Options{TrustedProxies: []string{"10.0.0.1"}, BodyLimit: 8})
	app.Any("/*path", middleware.ReverseProxy(target, opts...))
	return app
}

func TestReverseProxyForwardsPaths(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RequestURI) })
	strip := middleware.ReverseProxyOptions{StripPrefix: "/api"}
	for _, test := range []struct {
		base string
		o    middleware.ReverseProxyOptions
		path string
		want string // the target's path, or the status of a refusal
	}{
		{"", middleware.ReverseProxyOptions{}, "/a/b?c=d", "/a/b?c=d"},
		{"/base", middleware.ReverseProxyOptions{}, "/a", "/base/a"},
		{"/base/", middleware.ReverseProxyOptions{}, "/a", "/base/a"},
		{"", middleware.ReverseProxyOptions{}, "/a%2fb/%20", "/a%2fb/%20"},
		{"", strip, "/api/a", "/a"},
		{"/base", strip, "/api/a%2fb", "/base/a%2fb"},
		{"", strip, "/api", "/"},
		{"", strip, "/apix", "404"},
		{"", strip, "/api%2fa", "404"},
		{"/base", strip, "/api/%2fa%3Bb", "/base/%2fa%3Bb"},
		{"", strip, "/%61pi/a", "404"},
		{"", strip, "/other", "404"},
		{"/base", strip, "/api//evil.example/", "/base//evil.example/"},
		{"/base", middleware.ReverseProxyOptions{}, "/a/../../admin", "400"},
		{"/base", middleware.ReverseProxyOptions{}, "/a/%2e%2e/%2e./admin", "400"},
		{"/base", middleware.ReverseProxyOptions{}, "/a/..%2f..%2fadmin", "400"},
		{"/base", middleware.ReverseProxyOptions{}, "/a/..%5cadmin", "400"},
		{"/base", middleware.ReverseProxyOptions{}, "/..;x=y/admin", "400"},
		{"/base", strip, "/api/..", "400"},
		{"/base", strip, "/api/./admin", "400"},
		{"/base", strip, "/api/%2e;x/admin", "400"},
		{"/base", middleware.ReverseProxyOptions{}, "/a..b/...", "/base/a..b/..."},
	} {
		app := nextrush.New()
		app.Use(middleware.ReverseProxy(target+test.base, test.o))
		w := ask(app, test.path)
		got := w.Body.String()
		if w.Code != 200 {
			got = fmt.Sprint(w.Code)
		}
		if got != test.want {
			t.Errorf("%s for %s%s: %s, want %s", test.path, "target", test.base, got, test.want)
		}
	}
}

func TestReverseProxyTellsOfTheClient(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix", "X-Real-Ip", "Forwarded", "X_forwarded_for"} {
			fmt.Fprint(w, strings.Join(r.Header[name], "|"), ";")
		}
		fmt.Fprint(w, r.Host == "a.example")
	})
	lies := []string{"X-Forwarded-For", "192.0.2.9", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https",
		"X-Forwarded-Prefix", "/evil", "X-Real-Ip", "192.0.2.9", "Forwarded", "for=192.0.2.9", "X_Forwarded_For", "192.0.2.9"}
	for name, test := range map[string]struct {
		peer   string
		header []string
		o      middleware.ReverseProxyOptions
		want   string
	}{
		"as its peer":              {"192.0.2.1:1", nil, middleware.ReverseProxyOptions{}, "192.0.2.1;a.example;http;;;;;false"},
		"and keeps its Host":       {"192.0.2.1:1", nil, middleware.ReverseProxyOptions{KeepHost: true}, "192.0.2.1;a.example;http;;;;;true"},
		"not as a client says":     {"192.0.2.1:1", lies, middleware.ReverseProxyOptions{}, "192.0.2.1;a.example;http;;;;;false"},
		"as a trusted proxy says":  {"10.0.0.1:1", lies, middleware.ReverseProxyOptions{}, "192.0.2.9, 10.0.0.1;evil.example;https;;;;;false"},
		"not as Connection claims": {"192.0.2.1:1", []string{"Connection", "X-Forwarded-For, X-Forwarded-Host"}, middleware.ReverseProxyOptions{}, "192.0.2.1;a.example;http;;;;;false"},
	} {
		r := httptest.NewRequest("GET", "http://a.example/", nil)
		r.RemoteAddr = test.peer
		for i := 0; i < len(test.header); i += 2 {
			r.Header.Set(test.header[i], test.header[i+1])
		}
		w := httptest.NewRecorder()
		front(target, test.o).ServeHTTP(w, r)
		if got := w.Body.String(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestReverseProxyReplacesHeadersOfMiddleware(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{"X-A", "Vary", "Set-Cookie"} {
			w.Header().Set(name, "theirs=1")
		}
	})
	app := nextrush.New()
	app.Use(func(c *nextrush.Context) error {
		for _, name := range []string{"X-A", "X-B", "Vary", "Set-Cookie"} {
			c.SetHeader(name, "ours=1")
		}
		return c.Next()
	}, middleware.ReverseProxy(target))
	h := ask(app, "/").Header()
	if got := fmt.Sprint(h["X-A"], h["X-B"], h["Vary"], h["Set-Cookie"]); got != "[theirs=1] [ours=1] [ours=1 theirs=1] [ours=1 theirs=1]" {
		t.Error(got)
	}
}

// A target's early hints (RFC 8297) neither take away what middleware has set nor
// bring the fields of its connection.
func TestReverseProxyKeepsHeadersBehindEarlyHints(t *testing.T) {
	for status, broken := range map[int]bool{200: false, 502: true} {
		target := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Link", "</a.css>")
			h.Set("Connection", "X-Named")
			h.Set("X-Named", "1")
			h.Set("Keep-Alive", "timeout=5")
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusEarlyHints)
			if broken {
				panic(http.ErrAbortHandler)
			}
			clear(h)
			h.Set("Vary", "theirs")
		})
		addr := rawFront(t, target, middleware.ReverseProxyOptions{}, func(c *nextrush.Context) error {
			c.SetHeader("Content-Security-Policy", "default-src 'self'").Vary("ours")
			return c.Next()
		})
		hints, _, r := exchange(t, addr, "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
		if h := hints.Header; hints.StatusCode != 103 || h.Get("Link") == "" || h["Connection"] != nil || h["X-Named"] != nil || h["Keep-Alive"] != nil {
			t.Errorf("hints %s %v", hints.Status, h)
		}
		resp, err := http.ReadResponse(r, nil) // the second hints
		if err == nil {
			resp, err = http.ReadResponse(r, nil)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h := resp.Header; resp.StatusCode != status || h.Get("Content-Security-Policy") == "" || h["Vary"][0] != "ours" {
			t.Errorf("%s %v, want %d", resp.Status, h, status)
		}
	}
}

func TestReverseProxyRunsItsHooks(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Header.Get("X-Secret")) })
	app := front(target, middleware.ReverseProxyOptions{
		Rewrite: func(r *httputil.ProxyRequest) { r.Out.Header.Set("X-Secret", "s") },
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("X-Via", "front")
			return nil
		},
	})
	if w := ask(app, "/"); w.Body.String() != "s" || w.Header().Get("X-Via") != "front" {
		t.Errorf("%s %v", w.Body, w.Header())
	}
}

// failing is a transport that does nothing else.
type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestReverseProxyTellsWhoseFaultItIs(t *testing.T) {
	silent := upstream(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	reading := upstream(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
	gone := httptest.NewServer(nil)
	gone.Close()
	for name, test := range map[string]struct {
		target string
		o      middleware.ReverseProxyOptions
		body   string
		want   int
	}{
		"a target that is not there": {gone.URL, middleware.ReverseProxyOptions{}, "", 502},
		"a target that is silent":    {silent, middleware.ReverseProxyOptions{Timeout: time.Millisecond}, "", 504},
		"a deadline":                 {silent, middleware.ReverseProxyOptions{Transport: failing{context.DeadlineExceeded}}, "", 504},
		"a client that has left":     {silent, middleware.ReverseProxyOptions{Transport: failing{context.Canceled}}, "", 499},
		"a body within the limit":    {reading, middleware.ReverseProxyOptions{}, "12345678", 200},
		"a body over the limit":      {reading, middleware.ReverseProxyOptions{}, "123456789", 413},
		"an answer that is refused": {reading, middleware.ReverseProxyOptions{
			ModifyResponse: func(*http.Response) error { return errors.New("no") }}, "", 502},
		"an answer made another": {reading, middleware.ReverseProxyOptions{
			ModifyResponse: func(*http.Response) error { return nextrush.NewError(418) }}, "", 418},
	} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("POST", "/", strings.NewReader(test.body))
		front(test.target, test.o).ServeHTTP(w, r)
		if w.Code != test.want {
			t.Errorf("%s: %d %s, want %d", name, w.Code, w.Body, test.want)
		}
	}
}

func TestReverseProxyStreams(t *testing.T) {
	more := make(chan struct{})
	target := upstream(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		http.NewResponseController(w).Flush()
		<-more
		io.WriteString(w, "data: 2\n\n")
	})
	server := apptest.Serve(front(target))
	defer server.Close()
	resp, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	first := make([]byte, 9)
	if _, err := io.ReadFull(resp.Body, first); err != nil || !bytes.Equal(first, []byte("data: 1\n\n")) {
		t.Errorf("%q %v", first, err)
	}
	close(more)
	if rest, _ := io.ReadAll(resp.Body); string(rest) != "data: 2\n\n" {
		t.Errorf("%q", rest)
	}
}

func TestReverseProxyOfEventsEndsWithTheApp(t *testing.T) {
	target := upstream(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	})
	app := front(target)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	res, err := http.Get("http://" + ln.Addr().String() + "/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if err := errors.Join(app.Shutdown(ctx), <-served); err != nil {
		t.Error(err)
	}
}

func TestReverseProxyPassesSockets(t *testing.T) {
	back := nextrush.New(nextrush.Options{TrustedProxies: []string{"127.0.0.1"}})
	back.EnableWebSocket(websocket.Options{})
	back.WS("/echo", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		s.OnClose(func(websocket.StatusCode, string) {})
		return nil
	})
	target := upstream(t, back.ServeHTTP)
	c := nextrushtest.New(t, front(target))
	page := &websocket.DialOptions{Header: http.Header{"Origin": {"http://app.test"}}}
	s := c.Dial("/echo", page)
	for _, size := range []int{0, 1, 70_000} {
		text := strings.Repeat("x", size)
		if err := s.Send(text); err != nil {
			t.Fatal(err)
		}
		s.Expect(text)
	}
	foreign := &websocket.DialOptions{Header: http.Header{"Origin": {"http://evil.example"}}}
	if refusal := c.DialError("/echo", foreign); refusal.Status != 403 {
		t.Errorf("a foreign page: %+v", refusal)
	}
	if refusal := c.DialError("/nowhere"); refusal.Status != 404 {
		t.Errorf("no such socket: %+v", refusal)
	}
}

// A socket outlives the deadline of its request, and the wait for one does not.
func TestReverseProxyEndsUpgradesAtTheDeadline(t *testing.T) {
	back := nextrush.New()
	back.EnableWebSocket(websocket.Options{})
	back.WS("/echo", func(s *websocket.Socket, _ *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	back.Get("/never", func(c *nextrush.Context) error {
		<-c.Context().Done()
		return nil
	})
	app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
	deadlines := make(chan context.Context, 2)
	app.Get("/*path", middleware.Timeout(2*time.Second), func(c *nextrush.Context) error {
		deadlines <- c.Context()
		return c.Next()
	}, middleware.ReverseProxy(upstream(t, back.ServeHTTP)))
	c := nextrushtest.New(t, app)
	s := c.Dial("/echo")
	<-(<-deadlines).Done()
	s.Send("still here")
	s.Expect("still here")
	if refusal := c.DialError("/never"); refusal.Status != 503 {
		t.Errorf("a target that does not answer: %+v", refusal)
	}
}

func TestReverseProxyRefusesMistakesAtSetUp(t *testing.T) {
	for _, target := range []string{"", "localhost:8080", "/base", "ftp://a.example", "http://", "http://u:p@a.example", "http://a.example/#x", "http://a b/"} {
		wantPanic(t, target, func() { middleware.ReverseProxy(target) })
	}
	for _, prefix := range []string{"api", "/api/", "/", "/a b"} {
		wantPanic(t, prefix, func() {
			middleware.ReverseProxy("http://a.example", middleware.ReverseProxyOptions{StripPrefix: prefix})
		})
	}
}

func ExampleReverseProxy() {
	users := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s for %s", r.URL.Path, r.Header.Get("X-Forwarded-Host"))
	}))
	defer users.Close()

	app := nextrush.New()
	app.Any("/users/*path", middleware.ReverseProxy(users.URL+"/v1", middleware.ReverseProxyOptions{StripPrefix: "/users"}))
	fmt.Println(ask(app, "http://a.example/users/7").Body)
	// Output: /v1/7 for a.example
}
