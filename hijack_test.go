package nextrush

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// hijacking is an app whose connections say "hi", repeat what they get, and say
// "bye" at shutdown.
func hijacking(t *testing.T) *App {
	app := New()
	app.Get("/", func(c *Context) error {
		conn, closing, err := c.Hijack()
		if err != nil {
			return err
		}
		if c.StatusCode() == 0 || c.StatusCode() != 101 {
			t.Errorf("written %t, status %d", c.StatusCode() != 0, c.StatusCode())
		}
		go func() {
			defer conn.Close()
			defer context.AfterFunc(closing, func() {
				io.WriteString(conn, "bye")
				conn.Close()
			})()
			io.WriteString(conn, "hi")
			io.Copy(conn, conn)
		}()
		return nil
	})
	return app
}

// dialRaw sends a request on a connection of its own.
func dialRaw(t *testing.T, addr, more string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"+more)
	return conn
}

func wantBytes(t *testing.T, r io.Reader, want string) {
	t.Helper()
	b := make([]byte, len(want))
	if n, err := io.ReadFull(r, b); err != nil || string(b) != want {
		t.Errorf("read %q and %v, want %q", b[:n], err, want)
	}
}

func TestHijackGivesWhatCameEarly(t *testing.T) {
	addr, stop := serve(t, hijacking(t))
	defer stop()
	long := strings.Repeat("early ", 10_000)
	wantBytes(t, dialRaw(t, addr, long), "hi"+long)
}

func TestShutdownEndsHijackedConnections(t *testing.T) {
	outer := New()
	outer.Mount("/", hijacking(t))
	for name, app := range map[string]*App{"of the app": hijacking(t), "of a mounted app": outer} {
		addr, stop := serve(t, app)
		var conns []net.Conn
		for range 200 {
			conn := dialRaw(t, addr, "")
			wantBytes(t, conn, "hi")
			conns = append(conns, conn)
		}
		conns[0].Close()
		if err := stop(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, conn := range conns[1:] {
			if rest, err := io.ReadAll(conn); err != nil || string(rest) != "bye" {
				t.Errorf("%s: %q %v", name, rest, err)
			}
		}
	}
}

func TestShutdownCutsHijackedConnectionsThatStay(t *testing.T) {
	app := New()
	app.Get("/", func(c *Context) error {
		conn, _, err := c.Hijack()
		if err == nil {
			_, err = io.WriteString(conn, "hi")
		}
		return err
	})
	addr, stop := serve(t, app)
	for range 3 {
		conn := dialRaw(t, addr, "")
		wantBytes(t, conn, "hi")
		defer func() {
			if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
				t.Errorf("%q %v", rest, err)
			}
		}()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := app.Shutdown(ctx)
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "3 hijacked connections were cut") {
		t.Errorf("error %v", err)
	}
	stop()
}

func TestHijackIsRefusedWithAnAnswer(t *testing.T) {
	app := New()
	took := func(c *Context) error {
		_, _, err := c.Hijack()
		return err
	}
	under := make(chan bool)
	app.Get("/", took)
	app.Get("/late", func(c *Context) error {
		close(under)
		<-app.Context().Done()
		return took(c)
	})
	t.Run("by a writer that cannot", func(t *testing.T) {
		w := httptest.NewRecorder()
		if app.ServeHTTP(w, httptest.NewRequest("GET", "/", nil)); w.Code != 500 {
			t.Errorf("status %d", w.Code)
		}
	})
	t.Run("over HTTP/2", func(t *testing.T) {
		server := httptest.NewUnstartedServer(app)
		server.EnableHTTP2 = true
		server.StartTLS()
		defer server.Close()
		if res, _ := get(t, server.Client(), server.URL); res.StatusCode != 400 || res.ProtoMajor != 2 {
			t.Errorf("%s %s", res.Proto, res.Status)
		}
	})
	t.Run("at shutdown", func(t *testing.T) {
		addr, stop := serve(t, app)
		answer := make(chan *http.Response, 1)
		go func() {
			res, err := http.Get("http://" + addr + "/late")
			if err != nil {
				t.Error(err)
			}
			answer <- res
		}()
		<-under
		if err := stop(); err != nil {
			t.Error(err)
		}
		if res := <-answer; res == nil || res.StatusCode != 503 {
			t.Errorf("%v", res)
		}
	})
}

func ExampleContext_Hijack() {
	app := New()
	app.Get("/time", func(c *Context) error {
		conn, closing, err := c.Hijack()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			defer context.AfterFunc(closing, func() { conn.Close() })()
			io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
			for lines := bufio.NewScanner(conn); lines.Scan(); {
				fmt.Fprintln(conn, "you said", lines.Text())
			}
		}()
		return nil
	})
}
