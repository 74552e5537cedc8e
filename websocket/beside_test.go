package websocket

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
)

// pipeWriter is a response whose connection is a pipe.
type pipeWriter struct {
	conn   net.Conn
	header http.Header
	hijack func() // runs before the connection is handed over
}

func (w pipeWriter) Header() http.Header         { return w.header }
func (w pipeWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w pipeWriter) WriteHeader(int)             {}

func (w pipeWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if w.hijack != nil {
		w.hijack()
	}
	return w.conn, bufio.NewReadWriter(bufio.NewReader(w.conn), bufio.NewWriter(w.conn)), nil
}

// acceptOnPipe accepts a greeting; what is sent to the peer is read and dropped.
func acceptOnPipe(t *testing.T, srv *Server, hijack func()) (*Handshake, error) {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(greeting())))
	if err != nil {
		t.Error(err)
	}
	ours, theirs := net.Pipe()
	t.Cleanup(func() { ours.Close() })
	go io.Copy(io.Discard, ours)
	return srv.Accept(pipeWriter{theirs, http.Header{}, hijack}, r)
}

// A server closes while upgrades are under way: each ends, and once.
func TestServerCloseBesideUpgrades(t *testing.T) {
	for range 500 {
		srv := NewServer(Options{DisablePolling: true, Logger: quiet})
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				h, err := acceptOnPipe(t, srv, nil)
				if err == nil {
					err = h.Open(nil)
				}
				if err != nil {
					return
				}
				s := h.Socket()
				<-s.Context().Done()
				if state := s.State(); state != StateClosed {
					t.Errorf("ended and %v", state)
				}
			})
		}
		for live := 0; live == 0; {
			srv.mu.Lock()
			live = srv.live
			srv.mu.Unlock()
		}
		srv.Close()
		wg.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		if err := srv.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
}

// Refuse comes while Open takes the connection over: the socket stays refused, and
// is counted once.
func TestRefuseBesideOpen(t *testing.T) {
	srv := NewServer(Options{Logger: quiet})
	entered, open, done := make(chan bool), make(chan bool), make(chan error)
	h, err := acceptOnPipe(t, srv, func() { entered <- true; <-open })
	if err != nil {
		t.Fatal(err)
	}
	s := h.Socket()
	go func() { done <- h.Open(nil) }()
	<-entered
	h.Refuse()
	close(open)
	if err := wait(t, done, "the end of Open"); !errors.Is(err, ErrServerClosed) {
		t.Errorf("Open: %v", err)
	}
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if s.State() != StateClosed || srv.admitted != 0 || srv.live != 0 {
		t.Errorf("%v, %d admitted, %d live", s.State(), srv.admitted, srv.live)
	}
}
