package nextrush

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

const largeAnswer = 8 << 20

// largeApp answers with 8 MiB in each way there is. running counts its handlers.
func largeApp(t *testing.T, running *sync.WaitGroup, o Options) *App {
	t.Helper()
	o.Logger = slog.New(slog.DiscardHandler)
	app := New(o)
	app.Use(func(c *Context) error {
		running.Add(1)
		defer running.Done()
		return c.Next()
	})
	content := make([]byte, largeAnswer)
	path := filepath.Join(t.TempDir(), "large.bin")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	app.Get("/blob", func(c *Context) error { return c.Blob("text/plain", content) })
	app.Get("/file", func(c *Context) error { return c.File(path) })
	app.Get("/stream", func(c *Context) error { return c.Stream("text/plain", strings.NewReader(string(content))) })
	app.Get("/pieces", func(c *Context) error {
		for range largeAnswer / 1024 {
			if _, err := c.Writer().Write(content[:1024]); err != nil {
				return err
			}
			if err := http.NewResponseController(c.Writer()).Flush(); err != nil {
				return err
			}
		}
		return nil
	})
	return app
}

var largeRoutes = []string{"/blob", "/file", "/stream", "/pieces"}

// servers are the ways in which an app is served on a port.
func servers(t *testing.T, run func(t *testing.T, start func(*App) (url string, client func() *http.Client))) {
	t.Helper()
	own := func(config *tls.Config, h2 bool) func(*App) (string, func() *http.Client) {
		return func(app *App) (string, func() *http.Client) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			result := make(chan error, 1)
			scheme := "http://"
			if config != nil {
				scheme = "https://"
			}
			go func() { result <- app.serve(context.Background(), ln, false, config) }()
			t.Cleanup(func() {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				app.Shutdown(ctx)
				<-result
			})
			return scheme + ln.Addr().String(), func() *http.Client { return smallClient(h2) }
		}
	}
	config := &tls.Config{Certificates: []tls.Certificate{testCertificate(t)}}
	t.Run("HTTP/1.1", func(t *testing.T) { run(t, own(nil, false)) })
	t.Run("TLS", func(t *testing.T) { run(t, own(config, false)) })
	t.Run("HTTP/2", func(t *testing.T) { run(t, own(config, true)) })
	for _, h2 := range []bool{false, true} {
		t.Run(fmt.Sprintf("another server, HTTP/2 %t", h2), func(t *testing.T) {
			run(t, func(app *App) (string, func() *http.Client) {
				ts := httptest.NewUnstartedServer(app)
				ts.EnableHTTP2 = h2
				ts.StartTLS()
				t.Cleanup(ts.Close)
				return ts.URL, func() *http.Client { return smallClient(h2) }
			})
		})
	}
}

// smallClient has a connection of its own, with little room for what it does not read.
func smallClient(h2 bool) *http.Client {
	dial := func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, addr)
		if err == nil && !h2 { // where the stream has little room
			conn.(*net.TCPConn).SetReadBuffer(2 << 10)
		}
		return conn, err
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetHTTP2(h2)
	return &http.Client{Transport: &http.Transport{DialContext: dial, Protocols: protocols,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func testCertificate(t *testing.T) tls.Certificate {
	t.Helper()
	ts := httptest.NewTLSServer(nil)
	defer ts.Close()
	return ts.TLS.Certificates[0]
}

func TestClientsThatDoNotReadHoldNoHandlers(t *testing.T) {
	servers(t, func(t *testing.T, start func(*App) (string, func() *http.Client)) {
		var running sync.WaitGroup
		url, client := start(largeApp(t, &running, Options{StallTimeout: time.Second}))
		var asked sync.WaitGroup
		clients := 16
		if strings.HasPrefix(url, "http:") {
			clients = 200
		}
		for i := range clients {
			c := client()
			defer c.CloseIdleConnections()
			asked.Go(func() {
				res, err := c.Get(url + largeRoutes[i%len(largeRoutes)])
				if err == nil { // on a busy machine it may be cut before its header has come
					t.Cleanup(func() { res.Body.Close() })
				}
			})
		}
		asked.Wait()
		running.Wait()
	})
}

// slowly reads all of an answer, n bytes at a time, and never stops for long.
func slowly(r io.Reader, n int64, every time.Duration) (total int64, err error) {
	for err == nil {
		var m int64
		m, err = io.CopyN(io.Discard, r, n)
		total += m
		<-time.After(every)
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return total, err
}

// inPipesOf2 is inPipes for a client of HTTP/2.
func inPipesOf2(t *testing.T, app *App, f func(*http.Client)) {
	inPipes(t, app, func(p *pipes) {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }
		f(&http.Client{Transport: transport})
		transport.CloseIdleConnections()
		synctest.Wait()
	})
}

func TestAClientThatReadsSlowlyGetsAll(t *testing.T) {
	for _, path := range largeRoutes {
		inPipes(t, largeApp(t, new(sync.WaitGroup), Options{}), func(p *pipes) {
			conn := p.dial()
			defer conn.Close()
			fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
			res, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := slowly(res.Body, 16<<10, 20*time.Second); n != largeAnswer || err != nil {
				t.Errorf("%s: %d, %v", path, n, err)
			}
		})
		inPipesOf2(t, largeApp(t, new(sync.WaitGroup), Options{H2C: true}), func(client *http.Client) {
			res, err := client.Get("http://x" + path)
			if err != nil {
				t.Fatal(err)
			}
			if n, err := slowly(res.Body, 16<<10, 20*time.Second); n != largeAnswer || err != nil {
				t.Errorf("%s, HTTP/2: %d, %v", path, n, err)
			}
			res.Body.Close()
		})
	}
}

func pausing(o Options) *App {
	o.Logger = slog.New(slog.DiscardHandler)
	app := New(o)
	app.Get("/", func(c *Context) error {
		for range 3 {
			if _, err := io.WriteString(c.Writer(), strings.Repeat("x", 5000)); err != nil {
				return err
			}
			if err := http.NewResponseController(c.Writer()).Flush(); err != nil {
				return err
			}
			<-time.After(5 * time.Minute)
		}
		return nil
	})
	return app
}

func TestAPauseBetweenWritesIsNoStall(t *testing.T) {
	inPipes(t, pausing(Options{}), func(p *pipes) {
		conn := p.dial()
		defer conn.Close()
		go fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); len(b) != 15000 || err != nil {
			t.Errorf("%d bytes, %v", len(b), err)
		}
	})
	inPipesOf2(t, pausing(Options{H2C: true}), func(client *http.Client) {
		res, err := client.Get("http://x/")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(res.Body); len(b) != 15000 || err != nil {
			t.Errorf("HTTP/2: %d bytes, %v", len(b), err)
		}
		res.Body.Close()
	})
}

// Answers that wait in net/http's buffers when the handler has returned are bounded
// like others.
func TestSmallAnswersDoNotHoldTheirConnection(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error { return c.Text("hello") })
	inPipes(t, app, func(p *pipes) {
		conn := p.dial()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-time.After(time.Minute)
		if b, err := io.ReadAll(conn); len(b) > 0 || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestAHijackedConnectionHasNoStallTimeout(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error {
		conn, _, err := http.NewResponseController(c.Writer()).Hijack()
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "hello")
		return err
	})
	inPipes(t, app, func(p *pipes) {
		conn := p.dial()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-time.After(time.Hour)
		if b, err := io.ReadAll(conn); string(b) != "hello" || err != nil {
			t.Errorf("%q, %v", b, err)
		}
	})
}

func TestStallsMayBeAllowed(t *testing.T) {
	app := New(Options{StallTimeout: -1})
	app.Get("/", func(c *Context) error { return c.Text("hello") })
	inPipes(t, app, func(p *pipes) {
		conn := p.dial()
		defer conn.Close()
		fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		<-time.After(time.Hour)
		if res, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil || res.StatusCode != 200 {
			t.Errorf("%v, %v", res, err)
		}
	})
}
