package nextrush

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/apptest"
)

// endless never runs out.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// headApp has routes whose GET has no end. running counts their handlers.
func headApp(running *sync.WaitGroup) *App {
	app := New(Options{Logger: slog.New(slog.DiscardHandler)})
	count := func(c *Context) error {
		running.Add(1)
		defer running.Done()
		return c.Next()
	}
	app.Get("/sse", count, func(c *Context) error {
		return c.SSE(func(s *SSE) error {
			for s.Send("tick") == nil {
			}
			return nil
		})
	})
	app.Get("/stream", count, func(c *Context) error { return c.Stream("text/plain", endless{}) })
	app.Get("/send", count, func(c *Context) error { return c.Send(endless{}) })
	app.Get("/copy", count, func(c *Context) error {
		_, err := io.Copy(c.Writer(), endless{})
		return err
	})
	app.Get("/flush", count, func(c *Context) error {
		for {
			if _, err := io.WriteString(c.Writer(), "tick\n"); err != nil {
				return err
			}
			if err := http.NewResponseController(c.Writer()).Flush(); err != nil {
				return err
			}
		}
	})
	loop := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			io.WriteString(w, "tick\n")
			w.(http.Flusher).Flush()
		}
	})
	app.Get("/context", count, WrapHandler(loop))
	app.Get("/wrapped", count, WrapMiddleware(func(h http.Handler) http.Handler { return h }), func(c *Context) error {
		loop(c.Writer(), c.Request())
		return c.Context().Err()
	})
	app.Get("/long", count, func(c *Context) error {
		for i := range 10000 {
			if _, err := io.WriteString(c.Writer(), "line\n"); err != nil {
				return fmt.Errorf("line %d: %w", i, err)
			}
		}
		return nil
	})
	app.Get("/", func(c *Context) error { return c.Text("hello") })
	return app
}

var headRoutes = []string{"/sse", "/stream", "/send", "/copy", "/flush", "/context", "/wrapped", "/long"}

// HEAD is answered as GET without its content, and has an end (RFC 9110 §9.3.2).
func TestHEADEndsWhereGETDoesNot(t *testing.T) {
	for _, path := range headRoutes {
		t.Run(path[1:], func(t *testing.T) {
			var running sync.WaitGroup
			ts := apptest.Serve(headApp(&running))
			defer ts.Close()
			conn, err := net.Dial("tcp", ts.Addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			in := bufio.NewReader(conn)
			fmt.Fprintf(conn, "HEAD %s HTTP/1.1\r\nHost: x\r\n\r\nG", path) // a byte of the next one, too
			res, err := http.ReadResponse(in, &http.Request{Method: "HEAD"})
			if err != nil || res.StatusCode != 200 {
				t.Fatalf("%v, %v", res, err)
			}
			fmt.Fprintf(conn, "ET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if res, err = http.ReadResponse(in, nil); err != nil || res.StatusCode != 200 {
				t.Fatalf("the next one: %v, %v", res, err)
			}
			running.Wait()
		})
	}
}

func TestHEADEndsOverHTTP2(t *testing.T) {
	var running sync.WaitGroup
	ts := httptest.NewUnstartedServer(headApp(&running))
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	client := ts.Client()
	client.Timeout = 20 * time.Second
	for _, path := range headRoutes {
		res, err := client.Head(ts.URL + path)
		if err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
			t.Errorf("%s: %v, %v", path, res, err)
		}
	}
	running.Wait()
}

func TestHEADHasTheHeaderOfGET(t *testing.T) {
	var running sync.WaitGroup
	ts := apptest.Serve(headApp(&running))
	defer ts.Close()
	res, err := http.Head(ts.URL)
	if err != nil || res.ContentLength != 5 || res.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
		t.Errorf("%v, %v", res, err)
	}
	res, err = http.Head(ts.URL + "/sse")
	if err != nil || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%v, %v", res, err)
	}
}

// What a HEAD breaks off is no failure, and what fails besides is one.
func TestAHEADThatBreaksOffIsNoFailure(t *testing.T) {
	var log strings.Builder
	app := New(Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	write := func(c *Context) error {
		for {
			if _, err := c.Writer().Write(make([]byte, 1<<10)); err != nil {
				return err
			}
		}
	}
	app.Get("/", write)
	app.Get("/fails", func(c *Context) error { return errors.Join(write(c)) })
	app.Get("/breaks", func(c *Context) error { write(c); return errors.New("it broke") })
	for path, logged := range map[string]bool{"/": false, "/fails": false, "/breaks": true} {
		log.Reset()
		func() {
			defer func() { recover() }() // http.ErrAbortHandler
			app.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("HEAD", path, nil))
		}()
		if got := log.String(); (got != "") != logged {
			t.Errorf("%s: logged %s", path, strconv.Quote(got))
		}
	}
}
