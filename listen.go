package nextrush

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"github.com/nextrush/nextrush/internal/listen"
	"github.com/nextrush/nextrush/internal/listing"
)

// Listen serves HTTP on an address until SIGINT or SIGTERM, and shuts down then, within
// Options.ShutdownTimeout. It returns nil after a shutdown in which all requests and
// sockets ended by themselves. The address is one of
//
//	":3000", "127.0.0.1:3000"   TCP
//	""                          the port that the environment variable PORT names, or 3000
//	"unix:/run/app.sock"        a Unix socket; "unix:/run/app.sock?mode=660" with that mode
//	"systemd:", "systemd:name"  a socket that systemd has opened, the only one or that name's
func (a *App) Listen(addr string) error {
	return a.listen(addr, nil)
}

// ListenTLS is Listen for HTTPS, with HTTP/2, on the certificate and key in two
// PEM files.
func (a *App) ListenTLS(addr, certFile, keyFile string) error {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("nextrush: ListenTLS: %w", err)
	}
	return a.listen(addr, &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12})
}

// ListenTLSConfig is ListenTLS for certificates that come from elsewhere: config
// has them, or a function that gets them.
func (a *App) ListenTLSConfig(addr string, config *tls.Config) error {
	if err := listen.CheckTLS(config); err != nil {
		return fmt.Errorf("nextrush: ListenTLSConfig: %w", err)
	}
	return a.listen(addr, config)
}

func (a *App) listing() (routes []listing.Route) {
	for _, r := range a.Routes() {
		routes = append(routes, listing.Route{
			Method: listing.Method(r.Method, r.WebSocket), Host: r.Host, Path: r.Path, Namespace: r.Namespace, Middleware: r.Middleware, Name: r.Name, Source: r.Source,
		})
	}
	return routes
}

func (a *App) listen(addr string, config *tls.Config) error {
	if file := os.Getenv(listing.Env); file != "" {
		return listing.Write(file, a.listing())
	}
	if dev := listen.Dev(); dev != "" {
		addr, config = dev, nil
	}
	ln, err := listen.On(addr)
	if err != nil {
		return fmt.Errorf("nextrush: listen: %w", err)
	}
	return a.serveUntilSignal(ln, !strings.HasPrefix(addr, "systemd:"), config)
}

// Serve serves HTTP on a listener, which it closes, until Shutdown is called, and
// returns nil when that is done; with Options.StopOnSignal it ends as Listen does. It
// starts the app first, and may be called for several listeners.
func (a *App) Serve(ln net.Listener) error { return a.serveGiven(ln, nil) }

// ServeTLS is Serve for HTTPS, with HTTP/2. It copies the config, which is for this
// listener alone.
func (a *App) ServeTLS(ln net.Listener, config *tls.Config) error {
	if err := listen.CheckTLS(config); err != nil {
		ln.Close()
		return fmt.Errorf("nextrush: ServeTLS: %w", err)
	}
	return a.serveGiven(ln, config)
}

func (a *App) serveGiven(ln net.Listener, config *tls.Config) error {
	if a.opts.StopOnSignal {
		return a.serveUntilSignal(ln, false, config)
	}
	return a.serve(context.Background(), ln, false, config)
}

func (a *App) serveUntilSignal(ln net.Listener, own bool, config *tls.Config) error {
	serve := func(ctx context.Context) error { return a.serve(ctx, ln, own, config) }
	return a.life.UntilSignal(serve, a.opts.ShutdownTimeout, func() {
		a.Log().Info("shutting down")
		listen.Notify("STOPPING=1")
	})
}

func (a *App) serve(ctx context.Context, ln net.Listener, own bool, config *tls.Config) error {
	if err := a.Start(ctx); err != nil {
		ln.Close()
		return err
	}
	err := a.server.Serve(ln, own, config, func() {
		a.buildTable()
		if a.opts.Debug {
			a.Log().Info("routes", "table", listing.Table(a.listing()))
		}
		a.Log().Info("listening", "url", listen.URL(ln.Addr(), config != nil))
		listen.Notify("READY=1")
	})
	switch {
	case err == http.ErrServerClosed:
		return err
	case err != nil:
		return fmt.Errorf("nextrush: serve: %w", err)
	}
	<-a.life.Stopped()
	return nil
}
