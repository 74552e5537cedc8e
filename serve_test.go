package nextrush

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// testPlugin notes what is done with it.
type testPlugin struct {
	name string
	log  *[]string
	fail error
}

func (p testPlugin) Name() string { return p.name }
func (p testPlugin) Install(*App) error {
	*p.log = append(*p.log, "install "+p.name)
	return nil
}
func (p testPlugin) Start(context.Context) error {
	*p.log = append(*p.log, "start "+p.name)
	return p.fail
}
func (p testPlugin) Stop(context.Context) error {
	*p.log = append(*p.log, "stop "+p.name)
	return nil
}

func listener(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestPluginsStartInOrderAndStopInReverse(t *testing.T) {
	var log []string
	a := New()
	a.Register(testPlugin{"one", &log, nil}, testPlugin{"two", &log, nil})
	started := make(chan struct{})
	a.OnStart(func(context.Context) error { close(started); return nil })
	a.OnShutdown(func(context.Context) error { log = append(log, "hook"); return nil })
	result := make(chan error, 1)
	go func() { result <- a.Serve(listener(t)) }()
	<-started
	if err := errors.Join(a.Shutdown(t.Context()), <-result); err != nil {
		t.Fatal(err)
	}
	want := []string{"install one", "install two", "start one", "start two", "hook", "stop two", "stop one"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

func TestPluginThatFailsToStartAbortsWithItsName(t *testing.T) {
	var log []string
	a := New()
	a.Register(testPlugin{"one", &log, nil}, testPlugin{"two", &log, errors.New("no database")}, testPlugin{"three", &log, nil})
	err := a.Serve(listener(t))
	if err == nil || !strings.Contains(err.Error(), `"two"`) || !strings.Contains(err.Error(), "no database") {
		t.Errorf("got %v", err)
	}
	want := []string{"install one", "install two", "install three", "start one", "start two", "stop one"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

func TestSecondPluginOfANameIsAMistake(t *testing.T) {
	defer func() {
		if v := recover(); v == nil || !strings.Contains(v.(string), `"websocket" is registered twice`) {
			t.Errorf("got %v", v)
		}
	}()
	New().EnableWebSocket(websocket.Options{}).EnableWebSocket(websocket.Options{})
}

func TestShutdownClosesSocketsWithGoingAway(t *testing.T) {
	a := New()
	a.EnableWebSocket(websocket.Options{})
	a.WS("/", func(s *websocket.Socket, c *Context) error { return nil })
	l := listener(t)
	result := make(chan error, 1)
	go func() { result <- a.Serve(l) }()
	s, err := websocket.Dial(t.Context(), "ws://"+l.Addr().String()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan websocket.StatusCode, 1)
	s.OnClose(func(code websocket.StatusCode, _ string) { ended <- code })
	if err := errors.Join(a.Shutdown(t.Context()), <-result); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != websocket.StatusGoingAway {
		t.Errorf("got %d", code)
	}
}

func TestErrorsBecomeProblems(t *testing.T) {
	a := New()
	a.Get("/missing", func(c *Context) error { return NewError(404, "no such book") })
	a.Get("/secret", func(c *Context) error { return errors.New("password is hunter2") })
	a.Get("/panic", func(c *Context) error { panic("boom") })
	for path, want := range map[string]int{"/missing": 404, "/secret": 500, "/panic": 500, "/nowhere": 404} {
		w := do(a, "GET", path, "")
		if w.Code != want || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s: got %d %s", path, w.Code, w.Header().Get("Content-Type"))
		}
		if strings.Contains(w.Body.String(), "hunter2") || strings.Contains(w.Body.String(), "boom") {
			t.Errorf("%s: a cause was sent: %s", path, w.Body)
		}
	}
	if w := do(a, "GET", "/missing", "", "Accept", "text/html"); !strings.Contains(w.Header().Get("Content-Type"), "text/html") {
		t.Errorf("a browser got %s", w.Header().Get("Content-Type"))
	}
	w := do(a, "POST", "/missing", "")
	if w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD, OPTIONS" {
		t.Errorf("got %d, Allow %q", w.Code, w.Header().Get("Allow"))
	}
	if w := do(a, "OPTIONS", "/missing", ""); w.Code != 204 || w.Header().Get("Allow") == "" {
		t.Errorf("OPTIONS: got %d", w.Code)
	}
	if w := do(a, "HEAD", "/secret", ""); w.Code != 500 {
		t.Errorf("HEAD: got %d", w.Code)
	}
}

func TestForwardedHeadersCountFromTrustedPeersOnly(t *testing.T) {
	show := func(c *Context) error { return c.Text(c.IP() + " " + c.Scheme() + " " + c.Host()) }
	headers := []string{"X-Forwarded-For", "6.6.6.6", "X-Forwarded-For", "1.2.3.4, 192.0.2.9", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "a.example"}
	a := New()
	a.Get("/", show)
	if got := do(a, "GET", "http://host/", "", headers...).Body.String(); got != "192.0.2.1 http host" {
		t.Errorf("untrusted: got %q", got)
	}
	a = New(Options{TrustedProxies: []string{"192.0.2.0/24"}})
	a.Get("/", show)
	if got := do(a, "GET", "http://host/", "", headers...).Body.String(); got != "1.2.3.4 https a.example" {
		t.Errorf("trusted: got %q", got)
	}
}

func TestBodyOverTheLimitIs413(t *testing.T) {
	a := New(Options{BodyLimit: 10})
	a.Post("/", func(c *Context) error {
		_, err := c.Body()
		return err
	})
	if w := do(a, "POST", "/", "0123456789"); w.Code != 200 {
		t.Errorf("at the limit: got %d", w.Code)
	}
	if w := do(a, "POST", "/", "0123456789x"); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("over the limit: got %d", w.Code)
	}
}

func TestMiddlewareRunsInOrderAndSeesErrors(t *testing.T) {
	var log []string
	note := func(name string) Handler {
		return func(c *Context) error {
			err := c.Next()
			log = append(log, name)
			if err != nil {
				log = append(log, err.Error())
			}
			return err
		}
	}
	a := New()
	a.Use(note("global"))
	g := a.Group("/api", note("group"))
	g.With(note("with")).Get("/x", note("route"), func(c *Context) error { return NewError(418) })
	do(a, "GET", "/api/x", "")
	if got := strings.Join(log, ","); got != "route,418 I'm a teapot,with,418 I'm a teapot,group,418 I'm a teapot,global,418 I'm a teapot" {
		t.Errorf("got %s", got)
	}
	log = nil
	do(a, "GET", "/nowhere", "")
	if len(log) == 0 || log[0] != "global" {
		t.Errorf("404 passed the global middleware by: %q", log)
	}
}

func TestMountStripsThePrefix(t *testing.T) {
	inner := New()
	inner.Get("/", func(c *Context) error { return c.Text("root") })
	inner.Get("/x/:id", func(c *Context) error { return c.Text(c.Param("id")) })
	a := New()
	a.Mount("/in", inner)
	for path, want := range map[string]string{"/in": "root", "/in/": "root", "/in/x/7": "7"} {
		if got := do(a, "GET", path, "").Body.String(); got != want {
			t.Errorf("%s: got %q", path, got)
		}
	}
}
