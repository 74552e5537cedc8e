package nextrush

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net/http"
	"os"
	"testing"

	"github.com/nextrush/nextrush/internal/listen"
)

// urlLog gets the address on which an App listens.
type urlLog chan string

func (l urlLog) Enabled(context.Context, slog.Level) bool { return true }
func (l urlLog) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l urlLog) WithGroup(string) slog.Handler            { return l }
func (l urlLog) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "listening" {
		r.Attrs(func(a slog.Attr) bool { l <- a.Value.String(); return false })
	}
	return nil
}

func TestUnderDevTheFirstListenIsElsewhereAndPlain(t *testing.T) {
	t.Setenv(listen.DevEnv, "127.0.0.1:0")
	urls := make(urlLog, 1)
	app := New(Options{Logger: slog.New(urls)})
	done := make(chan error, 1)
	go func() {
		done <- app.ListenTLSConfig("not an address", &tls.Config{Certificates: []tls.Certificate{certificate(t, "a.example")}})
	}()
	res, err := http.Get(<-urls)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound || res.Request.URL.Scheme != "http" {
		t.Errorf("%s %s", res.Request.URL, res.Status)
	}
	if left, ok := os.LookupEnv(listen.DevEnv); ok {
		t.Errorf("programs that this one starts, and a second Listen, would take %s", left)
	}
	if err := app.Listen("not an address"); err == nil {
		t.Error("the second Listen does not take its own address")
	}
	if err := app.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}
