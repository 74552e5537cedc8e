package nextrush

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/apptest"
	"github.com/nextrush/nextrush/internal/memnet"
	"github.com/nextrush/nextrush/internal/stall"
)

// pipes is a listener in memory, whose deadlines keep the time of a test.
type pipes struct{ *memnet.Listener }

func (p *pipes) dial() net.Conn {
	conn, err := p.Dial()
	if err != nil {
		panic(err)
	}
	return conn
}

// inPipes serves the app in a bubble of synctest.
func inPipes(t *testing.T, app *App, f func(*pipes)) {
	synctest.Test(t, func(t *testing.T) {
		p := &pipes{memnet.Listen()}
		s, err := app.server.HTTP()
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- s.Serve(stall.Listen(p, app.opts.StallTimeout)) }()
		f(p)
		s.Close()
		<-done
		time.Sleep(time.Second) // net/http waits behind the end of what it sends
	})
}

func slowApp(o Options) *App {
	o.Logger = slog.New(slog.DiscardHandler)
	app := New(o)
	app.Post("/read", func(c *Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(string(body))
	})
	app.Post("/again", func(c *Context) error {
		io.Copy(io.Discard, c.Request().Body)
		_, err := c.Body()
		return err
	})
	app.Post("/form", func(c *Context) error {
		_, err := c.FormFile("f")
		return err
	})
	app.Post("/ignore", func(c *Context) error { return c.Text("ignored") })
	app.Post("/ignore-long", func(c *Context) error { return c.Text(strings.Repeat("ignored", 1000)) })
	app.Post("/late", func(c *Context) error {
		<-time.After(5 * time.Minute)
		body, err := c.Body()
		if err != nil {
			return err
		}
		<-time.After(5 * time.Minute)
		return c.Text(string(body) + errText(c.Context().Err()))
	})
	return app
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// drip sends a request and then its body, a piece at a time, and returns the
// status of the answer, and how long it took until the connection was closed.
func drip(conn net.Conn, path string, pieces []string, every time.Duration) (status int, took time.Duration) {
	begin := time.Now()
	var sender sync.WaitGroup
	sender.Go(func() {
		io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\n"+
			"Transfer-Encoding: chunked\r\n\r\n")
		for _, piece := range pieces {
			if _, err := io.WriteString(conn, piece); err != nil {
				return
			}
			<-time.After(every)
		}
	})
	in := bufio.NewReader(conn)
	if res, err := http.ReadResponse(in, nil); err == nil {
		status = res.StatusCode
	}
	io.Copy(io.Discard, in)
	took = time.Since(begin)
	conn.Close()
	sender.Wait()
	return status, took
}

// The same by the clock of the wall, on whichever server there is.
func TestSlowBodiesOfConnectionsAreTimedOut(t *testing.T) {
	chunk := "400\r\n" + strings.Repeat("x", 1024) + "\r\n"
	for name, tt := range map[string]struct {
		path   string
		pieces []string
		every  time.Duration
		status int
	}{
		"nothing comes":           {"/read", nil, 0, 408},
		"nothing comes of a form": {"/form", nil, 0, 408},
		"bytes come":              {"/read", slices.Repeat([]string{"1\r\nx\r\n"}, 2000), 10 * time.Millisecond, 408},
		"it stops after a while":  {"/read", slices.Repeat([]string{chunk}, 64), 0, 408},
		"it comes":                {"/read", append(slices.Repeat([]string{chunk}, 8), "0\r\n\r\n"), 50 * time.Millisecond, 200},
		"nobody reads it":         {"/ignore", nil, 0, 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limit := 300 * time.Millisecond
			if tt.status == 200 {
				limit = 10 * time.Second // far longer than a busy machine holds a piece up
			}
			srv := apptest.Serve(slowApp(Options{BodyTimeout: limit, IdleTimeout: time.Second}))
			defer srv.Close()
			conn, err := net.Dial("tcp", srv.Addr)
			if err != nil {
				t.Fatal(err)
			}
			if status, took := drip(conn, tt.path, tt.pieces, tt.every); status != tt.status || took > 15*time.Second {
				t.Errorf("%d after %v, want %d", status, took, tt.status)
			}
		})
	}
}

func TestSlowBodiesAreTimedOut(t *testing.T) {
	chunk := "400\r\n" + strings.Repeat("x", 1024) + "\r\n"
	repeat := func(piece string, n int, end ...string) []string {
		return append(strings.Split(strings.Repeat(piece+"|", n), "|")[:n], end...)
	}
	for name, tt := range map[string]struct {
		path     string
		pieces   []string
		every    time.Duration
		status   int
		from, to time.Duration
	}{
		"nothing comes":                  {"/read", nil, 0, 408, 30 * time.Second, 31 * time.Second},
		"nothing comes of a form":        {"/form", nil, 0, 408, 30 * time.Second, 31 * time.Second},
		"it is read again":               {"/again", nil, 0, 408, 30 * time.Second, 31 * time.Second},
		"a byte a second":                {"/read", repeat("1\r\nx\r\n", 1000), time.Second, 408, 30 * time.Second, 32 * time.Second},
		"it stops after a MiB":           {"/read", repeat(chunk, 1024), 0, 408, 30 * time.Second, 31 * time.Second},
		"a KiB a second":                 {"/read", repeat(chunk, 300, "0\r\n\r\n"), time.Second, 200, 300 * time.Second, 302*time.Second + New().opts.IdleTimeout},
		"nobody reads it":                {"/ignore", nil, 0, 200, 0, 31 * time.Second},
		"nobody reads it, a long answer": {"/ignore-long", nil, 0, 200, 0, 31 * time.Second},
		"no route":                       {"/nowhere", nil, 0, 404, 0, 31 * time.Second},
	} {
		inPipes(t, slowApp(Options{}), func(p *pipes) {
			if status, took := drip(p.dial(), tt.path, tt.pieces, tt.every); status != tt.status || took < tt.from || took > tt.to {
				t.Errorf("%s: %d after %v, want %d", name, status, took, tt.status)
			}
		})
	}
}

func TestTimeOfTheHandlerIsNotTheBodys(t *testing.T) {
	inPipes(t, slowApp(Options{}), func(p *pipes) {
		conn := p.dial()
		defer conn.Close()
		in := bufio.NewReader(conn)
		for range 2 { // the second one on the same connection
			go io.WriteString(conn, "POST /late HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
			res, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if body, _ := io.ReadAll(res.Body); string(body) != "hello" {
				t.Errorf("got %q", body)
			}
		}
	})
}

func TestSlowBodiesMayBeAllowed(t *testing.T) {
	inPipes(t, slowApp(Options{BodyTimeout: -1}), func(p *pipes) {
		pieces := []string{"1\r\nx\r\n", "1\r\ny\r\n", "0\r\n\r\n"}
		if status, took := drip(p.dial(), "/read", pieces, time.Hour); status != 200 || took < 2*time.Hour {
			t.Errorf("%d after %v", status, took)
		}
	})
}

func TestSlowBodiesOfHTTP2AreTimedOut(t *testing.T) {
	inPipes(t, slowApp(Options{H2C: true}), func(p *pipes) {
		transport := &http.Transport{Protocols: new(http.Protocols)}
		transport.Protocols.SetUnencryptedHTTP2(true)
		transport.DialContext = func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }
		defer transport.CloseIdleConnections()
		post := func(path string, body io.Reader) (int, string) {
			res, err := (&http.Client{Transport: transport}).Post("http://x"+path, "text/plain", body)
			if err != nil {
				t.Fatal(err)
			}
			defer res.Body.Close()
			got, _ := io.ReadAll(res.Body)
			return res.StatusCode, string(got)
		}
		stalled, end := io.Pipe()
		defer end.Close()
		begin := time.Now()
		if status, _ := post("/read", stalled); status != 408 || time.Since(begin) > 31*time.Second {
			t.Errorf("%d after %v", status, time.Since(begin))
		}
		if status, got := post("/late", strings.NewReader("hello")); status != 200 || got != "hello" {
			t.Errorf("a handler that takes its time: %d %s", status, got)
		}
	})
}
