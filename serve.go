package nextrush

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// Listen serves HTTP on an address such as ":3000" until Shutdown, or until
// SIGINT or SIGTERM, on which it shuts down gracefully, with
// Options.ShutdownTimeout; a second signal ends the process. It returns nil
// after a clean shutdown.
func (a *App) Listen(addr string) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("nextrush: listen: %w", err)
	}
	return a.serveUntilSignal(l, "http")
}

// ListenTLS is Listen with TLS and HTTP/2, with a certificate and its key in
// PEM files. WebSockets come over HTTP/1.1.
func (a *App) ListenTLS(addr, certFile, keyFile string) error {
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return fmt.Errorf("nextrush: listen: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return fmt.Errorf("nextrush: listen: %w", err)
	}
	return a.serveUntilSignal(tls.NewListener(l, config), "https")
}

func (a *App) serveUntilSignal(l net.Listener, scheme string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	result := make(chan error, 1)
	go func() { result <- a.Serve(l) }()
	fmt.Fprintf(os.Stderr, "listening on %s\n", visible(scheme, l.Addr()))
	select {
	case err := <-result:
		return err
	case <-ctx.Done():
	}
	stop()
	end, cancel := context.WithTimeout(context.Background(), a.opts.ShutdownTimeout)
	defer cancel()
	err := a.Shutdown(end)
	return errors.Join(err, <-result)
}

// visible is an address as one types it into a browser.
func visible(scheme string, addr net.Addr) string {
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return addr.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return scheme + "://" + net.JoinHostPort(host, port)
}

// Serve starts the plugins and serves on l until Shutdown; then it returns nil.
// The listener is closed.
func (a *App) Serve(l net.Listener) error {
	server := a.newServer()
	a.mu.Lock()
	if a.server != nil || a.closed {
		a.mu.Unlock()
		l.Close()
		return errors.New("nextrush: serve: the App is serving, or has been shut down")
	}
	a.server = server
	a.mu.Unlock()
	a.build()
	if err := a.start(context.Background()); err != nil {
		l.Close()
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return errors.Join(fmt.Errorf("nextrush: serve: %w", err), a.stop(context.Background()))
	}
	<-a.stopped
	return nil
}

func (a *App) newServer() *http.Server {
	server := &http.Server{
		Handler:           a,
		ReadHeaderTimeout: a.opts.ReadHeaderTimeout,
		IdleTimeout:       a.opts.IdleTimeout,
		MaxHeaderBytes:    a.opts.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(quiet{a.opts.Logger.Handler()}, slog.LevelWarn),
		Protocols:         new(http.Protocols),
	}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetHTTP2(true)
	server.Protocols.SetUnencryptedHTTP2(a.opts.H2C)
	return server
}

// quiet lowers what net/http reports of broken handshakes, which scanners make
// all day, to debug.
type quiet struct{ slog.Handler }

func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "TLS handshake error") {
		r.Level = slog.LevelDebug
		if !q.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return q.Handler.Handle(ctx, r)
}

// Shutdown stops gracefully: new requests are not taken, sockets are closed
// with 1001 over Options.DrainWindow, running requests are waited for, then
// hooks and plugins are stopped. When ctx ends first, connections are cut and
// the error says so. It may be called once from anywhere; later calls wait.
func (a *App) Shutdown(ctx context.Context) error {
	a.mu.Lock()
	server, again := a.server, a.closed
	a.closed = true
	a.mu.Unlock()
	if again {
		select {
		case <-a.stopped:
		case <-ctx.Done():
			return ctx.Err()
		}
		return nil
	}
	defer close(a.stopped)
	var wg sync.WaitGroup
	errs := make([]error, 3)
	wg.Go(func() { errs[0] = a.shutdownSockets(ctx) })
	if server != nil {
		wg.Go(func() {
			if errs[1] = server.Shutdown(ctx); errs[1] != nil {
				server.Close()
			}
		})
	}
	wg.Wait()
	errs[2] = a.stop(ctx)
	return errors.Join(errs...)
}

// shutdownSockets drains the sockets of the App and of those mounted in it.
func (a *App) shutdownSockets(ctx context.Context) error {
	a.mu.Lock()
	apps := append([]*App{a}, a.mounted...)
	a.mu.Unlock()
	var errs []error
	for i, app := range apps {
		if i > 0 {
			errs = append(errs, app.shutdownSockets(ctx))
		} else if app.sockets != nil {
			errs = append(errs, app.sockets.Shutdown(ctx))
		}
	}
	return errors.Join(errs...)
}
