package nextrush

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/memnet"
)

// drainApp has handlers that wait for what ends with the app, and some that do not.
func drainApp(log io.Writer) *App {
	app := New(Options{Logger: slog.New(slog.NewTextHandler(log, nil)), H2C: true})
	app.Get("/events", func(c *Context) error {
		return c.SSE(func(s *SSE) error { <-s.Context().Done(); return nil })
	})
	app.Get("/pipe", func(c *Context) error {
		r, w := io.Pipe()
		go w.Write(make([]byte, 5000))
		return c.Stream("text/plain", r)
	})
	app.Get("/pipe/events", func(c *Context) error {
		r, w := io.Pipe()
		go io.WriteString(w, ": hello\n\n")
		return c.Stream("text/event-stream", r)
	})
	app.Get("/poll/:id", func(c *Context) error {
		<-c.Context().Done()
		return c.Context().Err()
	})
	app.Get("/polite", func(c *Context) error {
		<-c.App().Context().Done()
		return c.Text("later")
	})
	app.Get("/short", func(c *Context) error {
		<-time.After(6 * time.Second)
		return errors.Join(c.Context().Err(), c.Text("done"))
	})
	app.Get("/deaf", func(c *Context) error {
		<-time.After(time.Minute)
		return nil
	})
	return app
}

// shutDown asks for the paths, shuts down within 15 seconds, and returns the
// statuses, how long the shutdown took, and its error.
func shutDown(t *testing.T, log io.Writer, h2 bool, paths ...string) (statuses []int, took time.Duration, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		app := drainApp(log)
		p := &pipes{memnet.Listen()}
		served := make(chan error, 1)
		go func() { served <- app.Serve(p) }()
		statuses = make([]int, len(paths))
		var clients sync.WaitGroup
		for i, path := range paths {
			clients.Go(func() { statuses[i] = askFor(p, path, h2) })
		}
		synctest.Wait()
		begin := time.Now()
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		err = app.Shutdown(ctx)
		took = time.Since(begin)
		<-served
		clients.Wait()
		<-time.After(time.Hour) // until those that do not look have ended
	})
	return statuses, took, err
}

// askFor returns the status, 0 for none, and reads the answer to its end.
func askFor(p *pipes, path string, h2 bool) int {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(!h2)
	protocols.SetUnencryptedHTTP2(h2)
	transport := &http.Transport{Protocols: protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return p.dial(), nil }}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Get("http://x" + path)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

func TestWhatWaitsEndsWithTheApp(t *testing.T) {
	for _, tt := range []struct {
		path     string
		status   int
		from, to time.Duration
	}{
		{"/events", 200, 0, time.Second},
		{"/pipe/events", 200, 0, time.Second},
		{"/polite", 200, 0, time.Second},
		{"/short", 200, 6 * time.Second, 7 * time.Second},
		{"/pipe", 200, 7 * time.Second, 9 * time.Second},
		{"/poll/1", 503, 7 * time.Second, 9 * time.Second},
	} {
		for _, h2 := range []bool{false, true} {
			statuses, took, err := shutDown(t, io.Discard, h2, tt.path)
			if statuses[0] != tt.status || took < tt.from || took > tt.to || err != nil {
				t.Errorf("%s, HTTP/2 %t: %d after %v, %v", tt.path, h2, statuses[0], took, err)
			}
		}
	}
}

func TestShutdownSaysWhatItWaitsForAndWhatItCut(t *testing.T) {
	var log logBuffer
	_, took, err := shutDown(t, &log, false, "/poll/1", "/deaf", "/deaf", "/poll/2", "/nowhere")
	if took < 15*time.Second || took > 16*time.Second || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v after %v", err, took)
	}
	if want := "nextrush: shutdown: requests were cut: 2 of GET /deaf: context deadline exceeded"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	for _, want := range []string{`requests="2 of GET /deaf, 2 of GET /poll/:id"`, "their contexts end"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in %s", want, log.String())
		}
	}
}

func TestNothingIsSaidOfARequestThatEndsSoon(t *testing.T) {
	var log logBuffer
	if _, _, err := shutDown(t, &log, false, "/polite"); err != nil || strings.Contains(log.String(), "waiting") {
		t.Errorf("%v, %s", err, log.String())
	}
}
