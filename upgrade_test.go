package nextrush

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// testLog is written from many goroutines.
type testLog struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *testLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *testLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// Upgrade belongs to HTTP/1.1: 1.0 ignores it (RFC 9110 §7.8), and HTTP/2 has no such
// field (RFC 9113 §8.2.2). What a visitor can cause is no error of the server.
func TestAWebSocketRouteAskedInAnotherHTTPVersionIs426(t *testing.T) {
	var log testLog
	app := New(Options{Debug: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.EnableWebSocket(websocket.Options{})
	app.WS("/ws", func(*websocket.Socket, *Context) error { return nil })
	l := listenersOf(t, app)
	cert := certificate(t, "127.0.0.1")
	secure, plain := l.add(&tls.Config{Certificates: []tls.Certificate{cert}}), l.add(nil)

	r, err := http.NewRequest("GET", "https://"+secure+"/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	r.Header.Set("Sec-WebSocket-Version", "13")
	answers := map[string]*http.Response{}
	for name, accept := range map[string]string{"h2, a browser": "text/html", "h2": ""} {
		r.Header.Set("Accept", accept)
		res, err := tlsClient(t, cert, true).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		answers[name] = res
	}
	for name, addr := range map[string]string{"1.0": plain, "1.0 over TLS": secure} {
		conn, err := net.Dial("tcp", addr)
		if err == nil && addr == secure {
			conn = tls.Client(conn, &tls.Config{RootCAs: poolOf(cert), ServerName: "127.0.0.1"})
		}
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		io.WriteString(conn, "GET /ws HTTP/1.0\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
		if answers[name], err = http.ReadResponse(bufio.NewReader(conn), nil); err != nil {
			t.Fatal(err)
		}
	}
	for name, res := range answers {
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != http.StatusUpgradeRequired || !strings.Contains(string(body), "426") {
			t.Errorf("%s: %s %q, %v", name, res.Status, body, err)
		}
		upgrade := res.Header.Get("Upgrade")
		if http2 := res.ProtoMajor == 2; http2 != strings.HasPrefix(name, "h2") || http2 && (upgrade != "" || res.Header.Get("Connection") != "") {
			t.Errorf("%s: %s, header %v", name, res.Proto, res.Header)
		}
	}
	if text := log.String(); strings.Contains(text, "level=ERROR") {
		t.Error(text)
	}
}

func TestASocketIsAnAnswer(t *testing.T) {
	var log testLog
	app := New(Options{Debug: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	app.EnableWebSocket(websocket.Options{})
	app.WS("/ws", func(*websocket.Socket, *Context) error { return nil })
	done := make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		app.ServeHTTP(w, r)
	}))
	t.Cleanup(func() { app.Shutdown(context.Background()); srv.Close() })
	if _, err := dial(t, srv.URL, "/ws"); err != nil {
		t.Fatal(err)
	}
	if <-done; log.String() != "" {
		t.Error(log.String())
	}
}
