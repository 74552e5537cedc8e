package nextrush_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
)

// broken is a log handler that panics but for what it is told to let pass.
type broken struct{ slog.Handler }

func (h broken) WithAttrs([]slog.Attr) slog.Handler { return h }
func (h broken) WithGroup(string) slog.Handler      { return h }
func (h broken) Enabled(context.Context, slog.Level) bool {
	return true
}
func (h broken) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "listening" {
		return nil
	}
	panic("the log is full")
}

func TestALogHandlerThatPanicsDuringShutdownDoesNotEndTheProcess(t *testing.T) {
	app := nextrush.New(nextrush.Options{Logger: slog.New(broken{})})
	app.BeforeShutdown(func(context.Context) { panic("oh") })
	running := make(chan struct{})
	app.Get("/", func(c *nextrush.Context) error {
		close(running)
		<-c.Context().Done()
		return c.NoContent()
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(ln) }()
	go http.Get("http://" + ln.Addr().String())
	<-running
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	err = app.Shutdown(ctx)
	if err == nil || !strings.Contains(err.Error(), "panic: oh") || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
