// Package autotls gets certificates from an ACME authority (RFC 8555), such as
// Let's Encrypt, and renews them.
//
//	certs := autotls.New(autotls.Options{Domains: []string{"a.example"}, CacheDir: "/var/lib/a/certs"})
//	app.Register(certs)
//	log.Fatal(app.ListenTLSConfig(":443", certs.TLSConfig()))
//
// A certificate is asked for when the first client asks for its name. The
// authority checks that the name is ours on port 443 (TLS-ALPN-01, RFC 8737) or
// 80 (HTTP-01), which also sends everybody else to https.
package autotls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"

	"github.com/nextrush/nextrush"
)

// Options configures a Plugin. Domains and CacheDir have to be set. Who uses the
// plugin agrees to the authority's terms of service.
type Options struct {
	Domains []string // that certificates are got for; no others, no wildcards
	// CacheDir is for certificates and the account's key, in files that others cannot
	// read (0600); it is kept over restarts. A directory that is not there is made, as
	// private (0700).
	CacheDir string
	Email    string // that the authority may write to; may be empty

	// HTTPAddr is where HTTP-01 is answered and everybody else is sent to https;
	// empty: ":80"; "off": nowhere, and only TLS-ALPN-01 is left.
	HTTPAddr  string
	Directory string // URL of the authority; empty: Let's Encrypt's

	RenewBefore time.Duration  // the end of a certificate; 0: 30 days, or a third of its life
	Cache       autocert.Cache // instead of CacheDir, for several processes
	HTTPClient  *http.Client   // that talks to the authority; nil: http.DefaultClient
}

// Plugin gets certificates, and serves plain HTTP while the app runs. Its
// methods are safe from any goroutine.
type Plugin struct {
	opts    Options
	manager *autocert.Manager
	log     *slog.Logger
	wait    time.Duration            // of a client
	waiting map[string]chan struct{} // by domain, a place for each handshake
	server  *http.Server
	served  chan error
}

// New makes the plugin. Its Install reports mistakes in the options.
func New(opts Options) *Plugin {
	if opts.HTTPAddr == "" {
		opts.HTTPAddr = ":80"
	}
	p := &Plugin{opts: opts, log: slog.Default(), wait: certWait, waiting: make(map[string]chan struct{})}
	for _, domain := range opts.Domains {
		if name := asciiName(domain); name != "" {
			p.waiting[name] = make(chan struct{}, maxWaiting)
		}
	}
	p.manager = &autocert.Manager{
		Prompt:      autocert.AcceptTOS,
		Cache:       opts.Cache,
		HostPolicy:  autocert.HostWhitelist(opts.Domains...),
		RenewBefore: opts.RenewBefore,
		Client:      &acme.Client{DirectoryURL: opts.Directory, HTTPClient: opts.HTTPClient, UserAgent: "nextrush"},
		Email:       opts.Email,
	}
	if p.manager.Cache == nil {
		p.manager.Cache = autocert.DirCache(opts.CacheDir)
	}
	p.manager.Cache = healing{p.manager.Cache, p}
	return p
}

// Name is "autotls".
func (p *Plugin) Name() string { return "autotls" }

// Install checks the options.
func (p *Plugin) Install(app *nextrush.App) error {
	p.log = app.Log()
	if len(p.opts.Domains) == 0 {
		return errors.New("no domains: list in Options.Domains those to get certificates for")
	}
	for _, domain := range p.opts.Domains {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil || !strings.Contains(ascii, ".") || net.ParseIP(domain) != nil {
			return fmt.Errorf("%q is no domain to get a certificate for: write a name such as a.example, without wildcard or port", domain)
		}
	}
	if p.opts.CacheDir == "" && p.opts.Cache == nil {
		return errors.New("no cache: set Options.CacheDir, or every restart asks for new certificates until the authority gives no more")
	}
	if u, err := url.Parse(p.opts.Directory); p.opts.Directory != "" && (err != nil || u.Host == "") {
		return fmt.Errorf("Options.Directory: %q is no URL: write it as in https://acme.example/directory", p.opts.Directory)
	}
	if p.opts.Cache == nil {
		if err := tryDir(p.opts.CacheDir); err != nil {
			return fmt.Errorf("Options.CacheDir: %w", err)
		}
	}
	if info, err := os.Stat(p.opts.CacheDir); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		p.log.Warn("autotls: others can look into the cache: chmod 700", "dir", p.opts.CacheDir, "mode", info.Mode().Perm())
	}
	return nil
}

// tryDir makes the directory, and a file in it, which it removes.
func tryDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "try-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// TLSConfig is for App.ListenTLSConfig and App.ServeTLS: TLS 1.2 or later. A handshake
// for whose certificate the authority takes over 10 seconds fails; the certificate is
// for the next one.
func (p *Plugin) TLSConfig() *tls.Config {
	config := p.manager.TLSConfig()
	config.GetCertificate = p.certificate
	config.MinVersion = tls.VersionTLS12
	return config
}

// Start begins to serve plain HTTP.
func (p *Plugin) Start(context.Context) error {
	if p.opts.HTTPAddr == "off" {
		return nil
	}
	ln, err := net.Listen("tcp", p.opts.HTTPAddr)
	if err != nil {
		return err
	}
	p.server = &http.Server{
		Handler:           byName(p.manager.HTTPHandler(http.HandlerFunc(p.redirect))),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second,
		IdleTimeout:       30 * time.Second,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
	}
	p.served = make(chan error, 1)
	go func() { p.served <- p.server.Serve(ln) }()
	return nil
}

// Stop ends the plain HTTP.
func (p *Plugin) Stop(ctx context.Context) error {
	if p.server == nil {
		return nil
	}
	err := p.server.Shutdown(ctx)
	if err != nil {
		p.server.Close()
	}
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// byName takes the port off the host and makes it lower case, as the domains are.
func byName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = name
		}
		r.Host = strings.ToLower(r.Host)
		next.ServeHTTP(w, r)
	})
}

// redirect sends a request for one of the domains to the same place on https.
// For other hosts there is none.
func (p *Plugin) redirect(w http.ResponseWriter, r *http.Request) {
	if p.manager.HostPolicy(r.Context(), r.Host) != nil {
		http.Error(w, "this host is not served here", http.StatusMisdirectedRequest)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		http.Error(w, "use https", http.StatusBadRequest)
		return
	}
	to := url.URL{Scheme: "https", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	http.Redirect(w, r, to.String(), http.StatusMovedPermanently)
}
