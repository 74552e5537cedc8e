package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/websocket"
)

// startEdge does to requests what Cloudflare does, by its page about HTTP headers: it
// adds to X-Forwarded-For, writes others over, and passes on the rest.
func startEdge(t *testing.T, origin string) *visitor {
	t.Helper()
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: origin})
		r.Out.Host = r.In.Host
		h := r.Out.Header
		h["X-Forwarded-For"], h["X-Forwarded-Host"] = r.In.Header["X-Forwarded-For"], r.In.Header["X-Forwarded-Host"]
		ip, _, _ := net.SplitHostPort(r.In.RemoteAddr)
		h.Set("X-Forwarded-For", strings.TrimPrefix(h.Get("X-Forwarded-For")+","+ip, ","))
		h.Set("X-Forwarded-Proto", "https")
		h.Set("CF-Connecting-IP", ip)
		h.Set("CF-Visitor", `{"scheme":"https"}`)
		h.Set("CF-Ray", "230b030023ae2822-SJC")
		h.Set("CDN-Loop", "cloudflare; loops=1")
		h.Set("Accept-Encoding", "br, gzip")
	}}
	certFile, keyFile, roots := certificate(t, t.TempDir())
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	edge := httptest.NewUnstartedServer(proxy)
	edge.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	edge.EnableHTTP2 = true
	edge.StartTLS()
	t.Cleanup(edge.Close)
	return newVisitor(t, edge.Listener.Addr().String(), roots, true)
}

// asks returns what the server knows about the visitor who sends the headers.
func (v *visitor) asks(t *testing.T, header http.Header) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", v.origin+"/me", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	res, err := v.http.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

// TestBehindCloudflareVisitorsAreKnown by the program of the cookbook with the flags of the
// page, where the address of the edge stands for those of Cloudflare.
func TestBehindCloudflareVisitorsAreKnown(t *testing.T) {
	line := find(t, `(?m)^go run ./examples/cookbook/server (.*)$`, strings.Join(blocks(t, "cookbook/cloudflare.md", "sh"), "\n"))
	origin := freeport.Address(t)
	flags := strings.Fields(adapt(t, line, "-trust cloudflare", "-trust 127.0.0.1"))
	launch(t, origin, exec.Command(build(t, "cookbook/server"), append(flags, "-addr", origin)...))
	v := startEdge(t, origin)

	known := v.ip + " " + v.origin
	forged := http.Header{"X-Forwarded-For": {"192.0.2.66"}, "Cf-Connecting-Ip": {"192.0.2.66"}, "X-Forwarded-Proto": {"http"}}
	for _, header := range []http.Header{{}, forged} {
		if status, text := v.asks(t, header); status != http.StatusOK || text != known {
			t.Errorf("%v: %d %q, want %q", header, status, text, known)
		}
	}
	if status, _ := v.asks(t, http.Header{"X-Forwarded-Host": {"evil.example"}}); status != http.StatusMisdirectedRequest {
		t.Errorf("a forged host: %d", status)
	}
	v.hears(t, known)

	around := newVisitor(t, origin, x509.NewCertPool(), false)
	around.origin = "http://app.example"
	forged.Set("X-Forwarded-Proto", "https")
	if _, text := around.asks(t, forged); text != around.ip+" http://app.example" {
		t.Errorf("around Cloudflare: %q", text)
	}
}

// hears opens the socket as the page does.
func (v *visitor) hears(t *testing.T, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := websocket.Dial(ctx, "wss"+strings.TrimPrefix(v.origin, "https")+"/ws", &websocket.DialOptions{
		Header: http.Header{"Origin": {v.origin}, "X-Forwarded-For": {"192.0.2.66"}}, TLSConfig: v.tls, NetDial: v.dial,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(websocket.StatusNormalClosure, "")
	if m, err := s.Receive(ctx); err != nil || !strings.Contains(m.Text(), want) {
		t.Errorf("the socket got %q, %v, want %q", m.Text(), err, want)
	}
}
