// Package autotls gets certificates from an ACME authority (RFC 8555), such as
// Let's Encrypt, and renews them.
//
//	certs := autotls.New(autotls.Options{Domains: []string{"a.example"}, CacheDir: "/var/lib/a/certs"})
//	app.Register(certs)
//	if err := app.ListenTLSConfig(":443", certs.TLSConfig()); err != nil {
//		log.Fatal(err)
//	}
//
// The plugin asks for a certificate when the first client connects to its name. The
// authority checks that the name is ours on port 443 (TLS-ALPN-01, RFC 8737) or on
// port 80 (HTTP-01), where other requests are redirected to https.
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

// Options configures a Plugin. Domains, and CacheDir or Cache, must be set. By using
// the plugin you agree to the authority's terms of service.
type Options struct {
	Domains []string // the names to get certificates for; without wildcards
	// CacheDir is the directory for certificates and the account's key, in files that
	// others cannot read (0600). Keep it over restarts. If it does not exist, it is made,
	// as private (0700).
	CacheDir string
	Email    string // where the authority may write to; may be empty

	// HTTPAddr is the address where HTTP-01 is answered and other requests are
	// redirected to https; empty: ":80"; "off": none, and only TLS-ALPN-01 is used.
	HTTPAddr  string
	Directory string // URL of the authority's directory; empty: Let's Encrypt's

	RenewBefore time.Duration  // how long before its end a certificate is renewed; 0: 30 days, or a third of its life
	Cache       autocert.Cache // instead of CacheDir, for several processes
	HTTPClient  *http.Client   // for requests to the authority; nil: http.DefaultClient
}

// Plugin gets certificates, and serves plain HTTP while the app runs. Its
// methods are safe from any goroutine.
type Plugin struct {
	opts    Options
	manager *autocert.Manager
	log     *slog.Logger
	wait    time.Duration            // how long a client waits for a certificate
	waiting map[string]chan struct{} // by domain, with a place for each waiting handshake
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
		return errors.New("no domains: list in Options.Domains the names to get certificates for")
	}
	for _, domain := range p.opts.Domains {
		ascii, err := idna.Lookup.ToASCII(domain)
		if err != nil || !strings.Contains(ascii, ".") || net.ParseIP(domain) != nil {
			return fmt.Errorf("%q is not a domain: write a name such as a.example, without wildcard or port", domain)
		}
	}
	if p.opts.CacheDir == "" && p.opts.Cache == nil {
		return errors.New("no cache: set Options.CacheDir, or every restart asks for new certificates until the authority refuses")
	}
	if u, err := url.Parse(p.opts.Directory); p.opts.Directory != "" && (err != nil || u.Host == "") {
		return fmt.Errorf("Options.Directory: %q is not a URL: write it as in https://acme.example/directory", p.opts.Directory)
	}
	if p.opts.Cache == nil {
		if err := tryDir(p.opts.CacheDir); err != nil {
			return fmt.Errorf("Options.CacheDir: %w", err)
		}
	}
	if info, err := os.Stat(p.opts.CacheDir); err == nil && info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		p.log.Warn("autotls: others can read the cache directory: chmod 700", "dir", p.opts.CacheDir, "mode", info.Mode().Perm())
	}
	return nil
}

// tryDir makes the directory, if needed, and makes and removes a file in it.
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

// TLSConfig returns the config for App.ListenTLSConfig and App.ServeTLS, for TLS 1.2 or
// later. If the authority takes over 10 seconds, the handshake that waits for the
// certificate fails; the next one gets it.
func (p *Plugin) TLSConfig() *tls.Config {
	config := p.manager.TLSConfig()
	config.GetCertificate = p.certificate
	config.MinVersion = tls.VersionTLS12
	return config
}

// Start starts the server for plain HTTP.
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

// Stop stops it.
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

// byName removes the port from the host and makes it lower case, like the domains.
func byName(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if name, _, err := net.SplitHostPort(r.Host); err == nil {
			r.Host = name
		}
		r.Host = strings.ToLower(r.Host)
		next.ServeHTTP(w, r)
	})
}

// redirect redirects a request for one of the domains to the same URL with https, and
// refuses other hosts.
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
