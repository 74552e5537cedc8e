package nextrush

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/memnet"
	"github.com/nextrush/nextrush/websocket"
)

// step is a plugin that notes what is done with it.
type step struct {
	name  string
	notes *notes
	fail  string // what fails
}

type notes struct {
	mu   sync.Mutex // guards list
	list []string
}

func (n *notes) add(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.list = append(n.list, what)
}

func (s step) Name() string { return s.name }

func (s step) do(what string) error {
	s.notes.add(what + " " + s.name)
	if s.fail == what {
		return errors.New("it broke")
	}
	return nil
}

func (s step) Install(*App) error          { return s.do("install") }
func (s step) Start(context.Context) error { return s.do("start") }
func (s step) Stop(context.Context) error  { return s.do("stop") }

// serve runs the app on a port of its own. The function it returns shuts down and
// gives what Serve returned.
func serve(t *testing.T, app *App) (addr string, stop func() error) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() { result <- app.Serve(ln) }()
	return ln.Addr().String(), func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		return errors.Join(app.Shutdown(ctx), <-result)
	}
}

func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	return res, string(body)
}

func TestPluginsStartInOrderAndStopInReverse(t *testing.T) {
	var n notes
	app := New()
	sub := New()
	sub.Register(step{name: "sub", notes: &n})
	app.Mount("/sub", sub)
	app.Register(step{name: "a", notes: &n}, step{name: "b", notes: &n})
	app.OnStart(func(context.Context) error { n.add("OnStart"); return nil })
	app.OnShutdown(func(context.Context) error { n.add("down 1"); return nil })
	app.OnShutdown(func(context.Context) error { n.add("down 2"); return nil })
	app.Get("/", text("hi"))
	addr, stop := serve(t, app)
	if _, body := get(t, http.DefaultClient, "http://"+addr); body != "hi" {
		t.Errorf("body %q", body)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := []string{"install sub", "install a", "install b", "start sub", "start a", "start b", "OnStart",
		"down 2", "down 1", "stop b", "stop a", "stop sub"}
	if !slices.Equal(n.list, want) {
		t.Errorf("got  %q\nwant %q", n.list, want)
	}
}

func TestBeforeShutdownRunsOnceWhileTheAppStillServes(t *testing.T) {
	var n notes
	app, sub := New(), New()
	app.Get("/", text("still here"))
	app.Mount("/sub", sub)
	sub.BeforeShutdown(func(context.Context) { n.add("mounted") })
	app.OnShutdown(func(context.Context) error { n.add("down"); return nil })
	addr := make(chan string, 1)
	app.BeforeShutdown(func(context.Context) {
		if _, body := get(t, http.DefaultClient, "http://"+<-addr); body != "still here" {
			t.Errorf("body %q", body)
		}
	})
	at, stop := serve(t, app)
	addr <- at
	if err := stop(); err != nil {
		t.Error(err)
	}
	if want := []string{"mounted", "down"}; !slices.Equal(n.list, want) {
		t.Errorf("got %q, want %q", n.list, want)
	}
}

func TestAFailureAbortsTheStartWithThePluginsName(t *testing.T) {
	for _, tt := range []struct{ fail, want string }{
		{"start", "install a,install b,install c,start a,start b,stop a"},
		{"install", "install a,install b"},
	} {
		t.Run(tt.fail, func(t *testing.T) {
			var n notes
			app := New()
			app.Register(step{name: "a", notes: &n}, step{name: "b", notes: &n, fail: tt.fail}, step{name: "c", notes: &n})
			ln, _ := net.Listen("tcp", "127.0.0.1:0")
			err := app.Serve(ln)
			if err == nil || !strings.Contains(err.Error(), `plugin "b": `+tt.fail) {
				t.Errorf("error %v", err)
			}
			if got := strings.Join(n.list, ","); got != tt.want {
				t.Errorf("got %s", got)
			}
			if _, err := net.Dial("tcp", ln.Addr().String()); err == nil {
				t.Error("the listener is still open")
			}
		})
	}
}

func TestASecondPluginOfTheSameNameIsAnError(t *testing.T) {
	app := New().EnableWebSocket(websocket.Options{})
	if err := app.Register(WebSocket(websocket.Options{})); err == nil || !strings.Contains(err.Error(), `"websocket"`) {
		t.Fatalf("error %v", err)
	}
	if err := app.Start(t.Context()); err == nil {
		t.Fatal("the app started")
	}
}

func TestShutdownWaitsForRequestsAndClosesSockets(t *testing.T) {
	app := New().EnableWebSocket(websocket.Options{})
	under, finish := make(chan bool), make(chan bool)
	app.Get("/slow", func(c *Context) error {
		close(under)
		<-finish
		return c.Text("done")
	})
	app.WS("/ws", func(s *websocket.Socket, _ *Context) error { return nil })
	addr, stop := serve(t, app)
	s, err := websocket.Dial(t.Context(), "ws://"+addr+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	body := make(chan string)
	go func() {
		res, err := http.Get("http://" + addr + "/slow")
		if err != nil {
			body <- err.Error()
			return
		}
		b, _ := io.ReadAll(res.Body)
		body <- string(b)
	}()
	<-under
	stopped := make(chan error)
	go func() { stopped <- stop() }()
	_, err = s.Receive(t.Context())
	var closed *websocket.CloseError
	if !errors.As(err, &closed) || closed.Code != websocket.StatusGoingAway {
		t.Errorf("the socket got %v", err)
	}
	close(finish)
	if got := <-body; got != "done" {
		t.Errorf("the request got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestShutdownCutsWhatDoesNotEnd(t *testing.T) {
	app := New()
	under := make(chan bool)
	app.Get("/", func(c *Context) error {
		close(under)
		<-c.Context().Done()
		return nil
	})
	addr, _ := serve(t, app)
	go http.Get("http://" + addr)
	<-under
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := app.Shutdown(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
}

func TestListenEndsOnASignal(t *testing.T) {
	app := New()
	self, _ := os.FindProcess(os.Getpid())
	app.OnStart(func(context.Context) error { return self.Signal(syscall.SIGTERM) })
	if err := app.Listen("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
}

func TestServeEndsOnASignalIfAsked(t *testing.T) {
	app := New(Options{StopOnSignal: true})
	self, _ := os.FindProcess(os.Getpid())
	app.OnStart(func(context.Context) error { return self.Signal(syscall.SIGTERM) })
	if err := app.Serve(memnet.Listen()); err != nil {
		t.Fatal(err)
	}
}

func TestListenOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	app := New(Options{TrustedHops: 1})
	app.Get("/", func(c *Context) error { return c.Text(c.Scheme() + " " + c.IP()) })
	listening := make(chan struct{})
	app.OnStart(func(context.Context) error { close(listening); return nil })
	done := make(chan error, 1)
	go func() { done <- app.Listen("unix:" + path + "?mode=600") }()
	<-listening
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(context.Context, string, string) (net.Conn, error) {
		return net.Dial("unix", path)
	}}}
	r, _ := http.NewRequest("GET", "http://app/", nil)
	r.Header.Set("X-Forwarded-For", "192.0.2.7")
	r.Header.Set("X-Forwarded-Proto", "https")
	res, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); string(body) != "https 192.0.2.7" {
		t.Errorf("%s", body)
	}
	if err := app.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestListenTLSConfigServesItsCertificates(t *testing.T) {
	certs := httptest.NewTLSServer(nil)
	addr := certs.Listener.Addr().String()
	certs.Close() // its port is free now
	app := New()
	app.Get("/", func(c *Context) error { return c.Text(c.Scheme()) })
	self, _ := os.FindProcess(os.Getpid())
	answer := make(chan string, 1)
	app.OnStart(func(context.Context) error {
		go func() { // the connection waits until the app serves
			defer self.Signal(syscall.SIGTERM)
			defer close(answer)
			defer certs.Client().CloseIdleConnections()
			_, body := get(t, certs.Client(), "https://"+addr)
			answer <- body
		}()
		return nil
	})
	if err := app.ListenTLSConfig(addr, &tls.Config{Certificates: certs.TLS.Certificates}); err != nil {
		t.Fatal(err)
	}
	if body := <-answer; body != "https" {
		t.Errorf("body %q", body)
	}
	if err := New().ListenTLSConfig(addr, nil); err == nil {
		t.Error("served without a certificate")
	}
}

func TestHTTP2(t *testing.T) {
	app := New(Options{H2C: true})
	app.Get("/", func(c *Context) error { return c.Text(c.Request().Proto + " " + c.Scheme()) })
	t.Run("without TLS", func(t *testing.T) {
		addr, stop := serve(t, app)
		defer stop()
		tr := &http.Transport{Protocols: new(http.Protocols)}
		tr.Protocols.SetUnencryptedHTTP2(true)
		defer tr.CloseIdleConnections()
		if _, body := get(t, &http.Client{Transport: tr}, "http://"+addr); body != "HTTP/2.0 http" {
			t.Errorf("body %q", body)
		}
	})
	t.Run("with TLS", func(t *testing.T) {
		secure := New()
		secure.Mount("/", app)
		certs := httptest.NewTLSServer(nil)
		defer certs.Close()
		ln, _ := net.Listen("tcp", "127.0.0.1:0")
		go secure.ServeTLS(ln, &tls.Config{Certificates: certs.TLS.Certificates})
		tr := certs.Client().Transport.(*http.Transport).Clone()
		tr.Protocols = new(http.Protocols)
		tr.Protocols.SetHTTP2(true)
		defer tr.CloseIdleConnections()
		if _, body := get(t, &http.Client{Transport: tr}, "https://"+ln.Addr().String()); body != "HTTP/2.0 https" {
			t.Errorf("body %q", body)
		}
		if err := secure.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestSSEEndsAtShutdown(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error {
		return c.SSE(func(s *SSE) error {
			s.Comment("hi")
			s.Event(SSEEvent{ID: "1", Name: "n", Data: "a\r\nb", Retry: time.Second})
			s.Send(map[string]int{"x": 1})
			if s.Event(SSEEvent{ID: "1\n2"}) == nil || s.Event(SSEEvent{Name: "1\r2"}) == nil {
				t.Error("a line break passed")
			}
			<-s.Context().Done()
			return nil
		})
	})
	addr, stop := serve(t, app)
	res, err := http.Get("http://" + addr)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	want := ": hi\n\nid: 1\nevent: n\nretry: 1000\ndata: a\ndata: b\n\ndata: {\"x\":1}\n\n"
	b := make([]byte, len(want))
	if _, err := io.ReadFull(res.Body, b); err != nil || string(b) != want {
		t.Errorf("got %q, %v", b, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
