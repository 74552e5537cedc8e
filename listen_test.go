package nextrush

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// certificate is one for a name and for 127.0.0.1, signed by itself.
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		DNSNames:     []string{name},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter:     time.Now().Add(time.Hour),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, _ := x509.ParseCertificate(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func poolOf(certs ...tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, cert := range certs {
		pool.AddCert(cert.Leaf)
	}
	return pool
}

// tlsClient speaks HTTP/1.1 or 2 until the test ends, and shows a certificate, or none.
func tlsClient(t *testing.T, root tls.Certificate, h2 bool, own ...tls.Certificate) *http.Client {
	tr := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: poolOf(root), Certificates: own},
		Protocols:       new(http.Protocols),
	}
	tr.Protocols.SetHTTP1(!h2)
	tr.Protocols.SetHTTP2(h2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr, Timeout: 30 * time.Second}
}

// listeners serves an app on several listeners until the test ends.
type listeners struct {
	t    *testing.T
	app  *App
	done chan error
	n    int
}

func newListeners(t *testing.T) *listeners {
	l := listenersOf(t, New())
	l.app.Get("/", func(c *Context) error { return c.Text(c.Scheme() + " " + c.Request().Proto) })
	return l
}

func listenersOf(t *testing.T, app *App) *listeners {
	l := &listeners{t: t, app: app, done: make(chan error)}
	t.Cleanup(func() {
		if err := l.app.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		for range l.n {
			if err := <-l.done; err != nil {
				t.Error(err)
			}
		}
	})
	return l
}

// add serves on one more, without TLS where config is nil.
func (l *listeners) add(config *tls.Config) (addr string) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.n++
	go func() {
		if config == nil {
			l.done <- l.app.Serve(ln)
		} else {
			l.done <- l.app.ServeTLS(ln, config)
		}
	}()
	return ln.Addr().String()
}

func TestEachListenerHasItsOwnTLSConfig(t *testing.T) {
	public, private, client := certificate(t, "public.test"), certificate(t, "private.test"), certificate(t, "client.test")
	l := newListeners(t)
	plain := l.add(nil)
	if _, body := get(t, http.DefaultClient, "http://"+plain); body != "http HTTP/1.1" {
		t.Errorf("without TLS: %s", body)
	}
	open := l.add(&tls.Config{Certificates: []tls.Certificate{public}})
	guarded := l.add(&tls.Config{
		Certificates: []tls.Certificate{private},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: poolOf(client),
	})
	for _, h2 := range []bool{false, true} {
		want := map[bool]string{false: "https HTTP/1.1", true: "https HTTP/2.0"}[h2]
		if _, body := get(t, tlsClient(t, public, h2), "https://"+open); body != want {
			t.Errorf("the first listener: %s, want %s", body, want)
		}
		if _, body := get(t, tlsClient(t, private, h2, client), "https://"+guarded); body != want {
			t.Errorf("the second listener: %s, want %s", body, want)
		}
		for name, stranger := range map[string]*http.Client{
			"no certificate":      tlsClient(t, private, h2),
			"another certificate": tlsClient(t, private, h2, public),
			"the first's roots":   tlsClient(t, public, h2, client),
		} {
			if res, err := stranger.Get("https://" + guarded); err == nil {
				res.Body.Close()
				t.Errorf("a client with %s was let in", name)
			}
		}
	}
}

func TestListenersStartAtOnce(t *testing.T) {
	for range 10 {
		l := newListeners(t)
		var wg sync.WaitGroup
		for i := range 8 {
			if i%4 == 0 {
				addr := l.add(nil)
				wg.Go(func() { get(t, http.DefaultClient, "http://"+addr) })
				continue
			}
			cert := certificate(t, fmt.Sprint(i))
			addr := l.add(&tls.Config{Certificates: []tls.Certificate{cert}})
			client := tlsClient(t, cert, i%2 == 0)
			wg.Go(func() { get(t, client, "https://"+addr) })
		}
		wg.Wait()
	}
}

// A config's own protocols come first: HTTP/1.1 where it names that alone, for a
// client that takes both.
func TestTheConfigOrdersItsProtocols(t *testing.T) {
	cert := certificate(t, "a.test")
	l := newListeners(t)
	for want, config := range map[string]*tls.Config{
		"https HTTP/2.0": {Certificates: []tls.Certificate{cert}},
		"https HTTP/1.1": {Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}},
	} {
		client := tlsClient(t, cert, true)
		client.Transport.(*http.Transport).Protocols.SetHTTP1(true)
		if _, body := get(t, client, "https://"+l.add(config)); body != want {
			t.Errorf("%v: %s, want %s", config.NextProtos, body, want)
		}
		if len(config.NextProtos) > 1 {
			t.Errorf("the caller's config has become %v", config.NextProtos)
		}
	}
}

func TestSocketsWorkOnEveryTLSListener(t *testing.T) {
	l := newListeners(t)
	l.app.EnableWebSocket(websocket.Options{})
	l.app.WS("/ws", func(s *websocket.Socket, _ *Context) error { return s.Send("open") })
	for _, name := range []string{"a.test", "b.test"} {
		cert := certificate(t, name)
		addr := l.add(&tls.Config{Certificates: []tls.Certificate{cert}})
		s, err := websocket.Dial(t.Context(), "wss://"+addr+"/ws", &websocket.DialOptions{TLSConfig: &tls.Config{RootCAs: poolOf(cert)}})
		if err != nil {
			t.Fatal(err)
		}
		if m, err := s.Receive(t.Context()); err != nil || string(m.Bytes()) != "open" {
			t.Errorf("%s: %s %v", name, m.Bytes(), err)
		}
	}
}

// ListenTLS and ListenTLSConfig serve beside a listener that came first.
func TestListenTLSBesideAnotherListener(t *testing.T) {
	first, second := certificate(t, "first.test"), certificate(t, "second.test")
	for _, files := range []bool{false, true} {
		l := newListeners(t)
		other := l.add(&tls.Config{Certificates: []tls.Certificate{first}})
		get(t, tlsClient(t, first, true), "https://"+other)
		ln, _ := net.Listen("tcp", "127.0.0.1:0")
		addr := ln.Addr().String()
		ln.Close() // free now, and nothing else is opened before ListenTLS
		listened := make(chan error, 1)
		go func() {
			if files {
				cert, key := writePEM(t, second)
				listened <- l.app.ListenTLS(addr, cert, key)
				return
			}
			listened <- l.app.ListenTLSConfig(addr, &tls.Config{Certificates: []tls.Certificate{second}})
		}()
		for {
			conn, err := net.Dial("tcp", addr)
			if err == nil {
				conn.Close()
				break
			}
			if !errors.Is(err, syscall.ECONNREFUSED) {
				t.Fatal(err)
			}
		}
		if _, body := get(t, tlsClient(t, second, true), "https://"+addr); body != "https HTTP/2.0" {
			t.Errorf("files %t: %s", files, body)
		}
		if err := l.app.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		if err := <-listened; err != nil {
			t.Error(err)
		}
	}
}

func writePEM(t *testing.T, c tls.Certificate) (cert, key string) {
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}), 0o600)
	os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	return cert, key
}

func TestATLSConfigThatCannotServeIsRefused(t *testing.T) {
	cert := []tls.Certificate{certificate(t, "a.test")}
	for want, config := range map[string]*tls.Config{
		"nil":            nil,
		"no certificate": {ClientAuth: tls.RequireAnyClientCert},
		"CipherSuites":   {Certificates: cert, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}},
	} {
		ln, _ := net.Listen("tcp", "127.0.0.1:0")
		if err := New().ServeTLS(ln, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ServeTLS: %v, want %q", err, want)
		}
		if _, err := ln.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("%s: the listener is still open", want)
		}
		if err := New().ListenTLSConfig("127.0.0.1:0", config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ListenTLSConfig: %v, want %q", err, want)
		}
	}
}

func TestDebugLogsTheRoutes(t *testing.T) {
	for _, debug := range []bool{false, true} {
		var log logBuffer
		app := New(Options{Debug: debug, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		app.Get("/users/:id", text("")).Named("user")
		addr, stop := serve(t, app)
		get(t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, "http://"+addr+"/users/7")
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := strings.Contains(log.String(), "/users/:id"); got != debug {
			t.Errorf("%t: %s", debug, log.String())
		}
	}
}

func TestDebugWritesForPeople(t *testing.T) {
	if log := New(Options{Debug: true}).Log(); !log.Enabled(t.Context(), slog.LevelDebug) || log == slog.Default() {
		t.Error("it is slog's own")
	}
	if New().Log() != slog.Default() {
		t.Error("it is not slog's own without Debug")
	}
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.DiscardHandler))
	if New(Options{Debug: true}).Log() != slog.Default() {
		t.Error("it is not that of the program")
	}
}
