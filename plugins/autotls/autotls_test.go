package autotls_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/plugins/autotls"
)

// authority is an ACME server that finds every domain on this machine, and
// checks challenges on the two ports.
type authority struct {
	directory string
	client    *http.Client
	roots     *x509.CertPool
}

func newAuthority(t *testing.T, httpPort, tlsPort int) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1")
	t.Setenv("PEBBLE_WFE_NONCEREJECT", "0")
	quiet := log.New(io.Discard, "", 0)
	store := db.NewMemoryStore()
	issuer := ca.New(quiet, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {}})
	front := wfe.New(quiet, store, va.New(quiet, httpPort, tlsPort, true, resolver(t), store), issuer, []string{"a.test"}, true, false, 1, 1)
	server := httptest.NewTLSServer(front.Handler())
	t.Cleanup(server.Close)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(issuer.GetRootCert(0).PEM())
	return &authority{server.URL + wfe.DirectoryPath, server.Client(), roots}
}

// resolver resolves every name to 127.0.0.1.
func resolver(t *testing.T) string {
	ln := listen(t)
	server := &dns.Server{Listener: ln, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		answer := new(dns.Msg).SetReply(q)
		if question := q.Question[0]; question.Qtype == dns.TypeA {
			head := dns.RR_Header{Name: question.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
			answer.Answer = append(answer.Answer, &dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)})
		}
		w.WriteMsg(answer)
	})}
	go server.ActivateAndServe()
	return ln.Addr().String()
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func port(ln net.Listener) int { return ln.Addr().(*net.TCPAddr).Port }

// serve runs an app with the plugin on ln until the test ends.
func serve(t *testing.T, ln net.Listener, opts autotls.Options) {
	t.Helper()
	app := nextrush.New()
	app.Get("/", func(c *nextrush.Context) error { return c.Text(c.Scheme() + " " + c.Request().Proto) })
	certs := autotls.New(opts)
	if err := app.Register(certs); err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.ServeTLS(ln, certs.TLSConfig()) }()
	t.Cleanup(func() {
		if err := errors.Join(app.Shutdown(context.Background()), <-served); err != nil {
			t.Error(err)
		}
	})
}

// get requests https://name/ at ln over HTTP/2.
func get(ln net.Listener, roots *x509.CertPool, name string) (string, *x509.Certificate, error) {
	tr := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: name}}
	defer tr.CloseIdleConnections()
	resp, err := (&http.Client{Transport: tr}).Get("https://" + ln.Addr().String())
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), resp.TLS.PeerCertificates[0], err
}

func address(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

func TestCertificatesComeFromTheAuthorityAndAreKept(t *testing.T) {
	for _, challenge := range []string{"TLS-ALPN-01", "HTTP-01"} {
		t.Run(challenge, func(t *testing.T) {
			ln, web := listen(t), freeport.Get(t)
			opts := autotls.Options{Domains: []string{"a.test", "b.test"}, CacheDir: t.TempDir(), Email: "ann@a.test", HTTPAddr: "off"}
			alpn := port(ln)
			if challenge == "HTTP-01" {
				opts.HTTPAddr, alpn = address(web), freeport.Get(t)
			}
			acme := newAuthority(t, web, alpn)
			opts.Directory, opts.HTTPClient = acme.directory, acme.client
			serve(t, ln, opts)

			body, cert, err := get(ln, acme.roots, "a.test")
			if err != nil || body != "https HTTP/2.0" {
				t.Fatalf("got %q, %v", body, err)
			}
			if _, again, err := get(ln, acme.roots, "a.test"); err != nil || !again.Equal(cert) {
				t.Errorf("another certificate, %v", err)
			}
			if _, _, err := get(ln, acme.roots, "evil.test"); err == nil {
				t.Error("a certificate for a domain that is not listed")
			}
			after := listen(t)
			opts.HTTPAddr, opts.Directory = "off", "https://127.0.0.1:1/"
			serve(t, after, opts)
			if _, kept, err := get(after, acme.roots, "a.test"); err != nil || !kept.Equal(cert) {
				t.Errorf("after a restart another certificate, %v", err)
			}
			if info, err := os.Stat(filepath.Join(opts.CacheDir, "a.test")); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("the key is kept as %v, %v", info, err)
			}
		})
	}
}

func TestPlainHTTPGoesToHTTPSOnTheSameHostOnly(t *testing.T) {
	web := freeport.Get(t)
	serve(t, listen(t), autotls.Options{Domains: []string{"a.test"}, CacheDir: t.TempDir(), HTTPAddr: address(web)})
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	defer client.CloseIdleConnections()
	for _, test := range []struct {
		method, host, path string
		status             int
		location           string
	}{
		{"GET", "a.test", "/x?y=1", 301, "https://a.test/x?y=1"},
		{"HEAD", "A.test:80", "/", 301, "https://a.test/"},
		{"GET", "a.test", "//evil.test/%2f..", 301, "https://a.test//evil.test/%2f.."},
		{"POST", "a.test", "/", 400, ""},
		{"GET", "evil.test", "/", 421, ""},
		{"GET", "a.test.evil.test", "/", 421, ""},
		{"GET", "a.test@evil.test", "/", 421, ""},
		{"GET", "127.0.0.1", "/", 421, ""},
		{"GET", "a.test", "/.well-known/acme-challenge/x", 404, ""},
		{"GET", "evil.test", "/.well-known/acme-challenge/x", 403, ""},
	} {
		r, err := http.NewRequest(test.method, "http://"+address(web)+test.path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = test.host
		resp, err := client.Do(r)
		if err != nil {
			t.Errorf("%s %s: %v", test.host, test.path, err)
			continue
		}
		resp.Body.Close()
		if location := resp.Header.Get("Location"); resp.StatusCode != test.status || location != test.location {
			t.Errorf("%s %s%s: %d %q, want %d %q", test.method, test.host, test.path, resp.StatusCode, location, test.status, test.location)
		}
	}
}

func TestMistakesAtSetUp(t *testing.T) {
	for _, test := range []struct {
		name string
		opts autotls.Options
		want string
	}{
		{"no domains", autotls.Options{CacheDir: "x"}, "Options.Domains"},
		{"no cache", autotls.Options{Domains: []string{"a.test"}}, "Options.CacheDir"},
		{"a wildcard", autotls.Options{Domains: []string{"*.a.test"}, CacheDir: "x"}, "is not a domain"},
		{"an address", autotls.Options{Domains: []string{"192.0.2.1"}, CacheDir: "x"}, "is not a domain"},
		{"a port", autotls.Options{Domains: []string{"a.test:443"}, CacheDir: "x"}, "is not a domain"},
		{"a URL", autotls.Options{Domains: []string{"https://a.test"}, CacheDir: "x"}, "is not a domain"},
		{"a directory that is not a URL", autotls.Options{Domains: []string{"a.test"}, CacheDir: t.TempDir(), Directory: "acme.test"}, "Options.Directory"},
		{"one label", autotls.Options{Domains: []string{"localhost"}, CacheDir: "x"}, "is not a domain"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := nextrush.New().Register(autotls.New(test.opts))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestAPortThatIsTakenEndsTheStart(t *testing.T) {
	app := nextrush.New()
	taken := listen(t)
	if err := app.Register(autotls.New(autotls.Options{Domains: []string{"a.test"}, CacheDir: t.TempDir(), HTTPAddr: taken.Addr().String()})); err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err == nil || !strings.Contains(err.Error(), `"autotls"`) {
		t.Errorf("got %v", err)
	}
}
