package e2e

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/websocket"
)

// behind is an app that answers with what it knows about the client of a proxy.
func behind(t *testing.T, trusted ...string) (addr string) {
	t.Helper()
	app := nextrush.New(nextrush.Options{
		TrustedProxies: trusted, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})
	app.Use(middleware.CSRF())
	app.EnableWebSocket(websocket.Options{})
	api := app.Group("/api")
	api.Get("/page", func(c *nextrush.Context) error {
		return c.Text(c.IP() + " " + c.Scheme() + "://" + c.Host() + "/")
	})
	api.Post("/form", func(c *nextrush.Context) error {
		return c.Redirect(c.Scheme()+"://"+c.Host()+"/", http.StatusSeeOther)
	})
	api.Post("/upload", middleware.BodyLimit(8<<20), func(c *nextrush.Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(fmt.Sprint(len(body)))
	})
	api.Get("/events", func(c *nextrush.Context) error {
		return c.SSE(func(s *nextrush.SSE) error {
			s.Send("first")
			<-s.Context().Done()
			return nil
		})
	})
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return s.Send(c.IP())
	})
	return serveApp(t, app)
}

// certificate writes a self-signed one for app.example.
func certificate(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"app.example"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	roots = x509.NewCertPool()
	roots.AddCert(cert)
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	write(t, certFile, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, keyFile, string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})))
	return certFile, keyFile, roots
}

// visitor is a client of an app behind a proxy.
type visitor struct {
	origin string
	ip     string
	dial   func(ctx context.Context, network, addr string) (net.Conn, error)
	tls    *tls.Config
	http   *http.Client
}

// newVisitor makes one with an address other than the proxy's. It resolves app.example to
// the proxy.
func newVisitor(t *testing.T, proxy string, roots *x509.CertPool, http2 bool) *visitor {
	t.Helper()
	_, port, _ := net.SplitHostPort(proxy)
	v := &visitor{origin: "https://app.example:" + port, ip: "127.0.0.2", tls: &tls.Config{RootCAs: roots}}
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(v.ip)}}
	v.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "tcp", proxy) }
	transport := &http.Transport{DialContext: v.dial, TLSClientConfig: v.tls.Clone(), ForceAttemptHTTP2: http2}
	t.Cleanup(transport.CloseIdleConnections)
	v.http = httpClient(transport)
	return v
}

// httpClient returns an HTTP client that does not follow redirects.
func httpClient(transport http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: transport, Timeout: patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// do sends a request like a page of the app in a browser without Sec-Fetch-Site, with
// forged forwarding headers.
func (v *visitor) do(t *testing.T, method, path, body string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, v.origin+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = http.Header{
		"Origin": {v.origin}, "Content-Type": {"application/x-www-form-urlencoded"},
		"X-Forwarded-For": {"192.0.2.66"}, "X-Forwarded-Host": {"evil.example"}, "X-Forwarded-Proto": {"http"},
	}
	res, err := v.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}

// TestProxiesOfTheCookbook runs each proxy with its configuration in front of an
// app, on a port other than the default one.
func TestProxiesOfTheCookbook(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, app string) (*visitor, string){
		"nginx": startNginx, "caddy": startCaddy,
	} {
		t.Run(name, func(t *testing.T) {
			v, proto := start(t, behind(t, "127.0.0.1"))
			v.seesItsApp(t, proto)
		})
	}
}

func (v *visitor) seesItsApp(t *testing.T, proto string) {
	page := v.do(t, "GET", "/api/page", "")
	text, _ := io.ReadAll(page.Body)
	if want := v.ip + " " + v.origin + "/"; string(text) != want || page.Proto != proto {
		t.Errorf("page: %d %s %q, want %s %q", page.StatusCode, page.Proto, text, proto, want)
	}
	form := v.do(t, "POST", "/api/form", "a=b")
	if got := form.Header.Get("Location"); form.StatusCode != http.StatusSeeOther || got != v.origin+"/" {
		t.Errorf("form: %d to %q", form.StatusCode, got)
	}
	upload := v.do(t, "POST", "/api/upload", strings.Repeat("x", 5_000_000))
	if text, _ := io.ReadAll(upload.Body); string(text) != "5000000" {
		t.Errorf("upload: %d %.200q", upload.StatusCode, text)
	}
	events := bufio.NewScanner(v.do(t, "GET", "/api/events", "").Body)
	for events.Scan() && events.Text() != "data: first" {
	}
	if events.Err() != nil || events.Text() != "data: first" {
		t.Errorf("event stream: %v", events.Err())
	}
	v.talks(t)
}

// talks opens a socket, with the Origin that a browser sends, and echoes a message.
func (v *visitor) talks(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := websocket.Dial(ctx, "ws"+strings.TrimPrefix(v.origin, "http")+"/ws", &websocket.DialOptions{
		Header: http.Header{"Origin": {v.origin}}, TLSConfig: v.tls, NetDial: v.dial,
	})
	if err != nil {
		t.Fatalf("socket: %v", err)
	}
	defer s.Close(websocket.StatusNormalClosure, "")
	s.Send("hello")
	for _, want := range []string{v.ip, "hello"} {
		m, err := s.Receive(ctx)
		if err != nil || m.Text() != want {
			t.Fatalf("socket got %q, %v, want %q", m.Text(), err, want)
		}
	}
}

func startNginx(t *testing.T, app string) (v *visitor, proto string) {
	dir, addr, plain := t.TempDir(), freeport.Address(t), freeport.Address(t)
	cert, key, roots := certificate(t, dir)
	site := adapt(t, cookbook(t, "nginx/app.conf")+cookbook(t, "nginx/redirect.conf"),
		"listen 8443 ssl", "listen "+addr+" ssl", "listen 80;", "listen "+plain+";", "127.0.0.1:3000", app,
		"/etc/nginx/app.pem", cert, "/etc/nginx/app.key", key)
	runNginx(t, dir, addr, site)

	res, err := newVisitor(t, plain, nil, false).http.Get("http://app.example/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Location"); got != "https://app.example/a?b=c" {
		t.Errorf("plain http: %d to %q", res.StatusCode, got)
	}
	newVisitor(t, addr, roots, false).seesItsApp(t, "HTTP/1.1")
	return newVisitor(t, addr, roots, true), "HTTP/2.0"
}

// runNginx runs nginx with the configuration of its HTTP.
func runNginx(t *testing.T, dir, addr, site string) {
	t.Helper()
	main := "daemon off;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\n\taccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		main += "\t" + kind + "_temp_path " + dir + "/" + kind + ";\n"
	}
	main += site + "\n}\n"
	if os.Getuid() == 0 {
		main = "user root;\n" + main // so that the workers may write to the folder
	}
	write(t, filepath.Join(dir, "nginx.conf"), main)
	launch(t, addr, exec.Command("nginx", "-e", "stderr", "-c", filepath.Join(dir, "nginx.conf")))
}

// runCaddy runs Caddy with a Caddyfile.
func runCaddy(t *testing.T, dir, addr, site string) {
	t.Helper()
	file := filepath.Join(dir, "Caddyfile")
	write(t, file, site)
	cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", file)
	cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	launch(t, addr, cmd)
}

func startCaddy(t *testing.T, app string) (v *visitor, proto string) {
	dir, addr := t.TempDir(), freeport.Address(t)
	cert, key, roots := certificate(t, dir)
	_, port, _ := net.SplitHostPort(addr)
	site := adapt(t, cookbook(t, "caddy/Caddyfile"),
		"app.example {", "app.example {\n\tbind 127.0.0.1\n\ttls "+cert+" "+key, "127.0.0.1:3000", app)
	runCaddy(t, dir, addr, "{\n\tadmin off\n\tauto_https disable_redirects\n\thttps_port "+port+"\n}\n"+site)
	return newVisitor(t, addr, roots, true), "HTTP/2.0"
}
