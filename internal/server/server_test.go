package server

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nextrush/nextrush/internal/memnet"
)

func TestNames(t *testing.T) {
	many := slices.Repeat([]Count{{1, "GET /"}}, drainNamed+2)
	for want, counts := range map[string][]Count{
		"none in a handler":          {{0, "no route"}, {-1, "GET /b"}},
		"2 of GET /b, 1 of no route": {{1, "no route"}, {2, "GET /b"}, {0, "GET /c"}},
		"1 of A, 1 of B":             {{1, "B"}, {1, "A"}},
		strings.Repeat("1 of GET /, ", drainNamed) + "those of 2 other routes": many,
	} {
		if got := Names(counts); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func newServer(h http.HandlerFunc) *Server {
	return New(Config{
		Handler: h, StallTimeout: -1, MaxHeaderBytes: 1 << 10,
		Log:     func() *slog.Logger { return slog.New(slog.DiscardHandler) },
		Running: func() string { return "one" },
	})
}

func TestServeAnswersUntilItIsDrained(t *testing.T) {
	s := newServer(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	if s.Context() != nil {
		t.Error("a context before there is a server")
	}
	ln := memnet.Listen()
	ready, served := make(chan struct{}), make(chan error, 1)
	go func() { served <- s.Serve(ln, false, nil, func() { close(ready) }) }()
	<-ready
	conn, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !strings.HasSuffix(string(answer), "hello") {
		t.Errorf("%q", answer)
	}
	if err := s.Drain(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	if context.Cause(s.Closing()) != http.ErrServerClosed {
		t.Error(context.Cause(s.Closing()))
	}
	if err := s.Serve(memnet.Listen(), false, nil, func() { t.Error("ready") }); err != http.ErrServerClosed {
		t.Error(err)
	}
}

func TestDrainCutsWhatIsLeft(t *testing.T) {
	begun, end := make(chan struct{}), make(chan struct{})
	s := newServer(func(http.ResponseWriter, *http.Request) { close(begun); <-end })
	ln := memnet.Listen()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln, false, nil, func() {}) }()
	conn, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	<-begun
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := s.Drain(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "requests were cut: one") {
		t.Error(err)
	}
	close(end)
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// A client that has connected may not have sent its request yet when the server ends.
func TestDrainAnswersWhoHasConnected(t *testing.T) {
	s := newServer(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	ln := memnet.Listen()
	served := make(chan error, 1)
	go func() { served <- s.Serve(ln, false, nil, func() {}) }()
	conn, err := ln.Dial()
	if err != nil {
		t.Fatal(err)
	}
	drained := make(chan error, 1)
	go func() { drained <- s.Drain(context.Background()) }()
	if err := <-served; err != nil { // the server takes no more
		t.Error(err)
	}
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	answer, _ := io.ReadAll(conn)
	if !strings.HasSuffix(string(answer), "hello") {
		t.Errorf("%q", answer)
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
	if _, err := ln.Dial(); err == nil {
		t.Error("it still listens")
	}
}

func TestDrainWaitsForNoRequestThatNeverComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(func(http.ResponseWriter, *http.Request) {})
		ln := memnet.Listen()
		served := make(chan error, 1)
		go func() { served <- s.Serve(ln, false, nil, func() {}) }()
		conn, err := ln.Dial()
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(begun); took > 2*firstRequest {
			t.Error(took)
		}
		conn.Close()
		<-served
	})
}
