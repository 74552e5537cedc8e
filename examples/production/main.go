// Command production has what a deployment needs in one file: configuration from
// the environment, logs in JSON with request and trace ids, security headers, probes,
// metrics, a rate limit and a time limit, compression, sockets, and a shutdown that
// lets requests finish.
//
//	cd examples/production
//	METRICS_TOKEN=$(openssl rand -hex 16) go run .
//
//	ADDR             where to listen; empty: ":3000"
//	TLS_CERT TLS_KEY PEM files; empty: HTTP, behind a proxy that terminates TLS
//	TRUSTED_PROXIES  proxies whose X-Forwarded-For counts: "10.0.0.0/8,127.0.0.1"
//	ALLOW_ORIGINS    other origins whose pages may open sockets: "https://app.example"
//	METRICS_TOKEN    bearer token that Prometheus sends; empty: no /metrics
//	DRAIN_DELAY      time for load balancers to notice a shutdown; empty: "5s"
//	LOG_LEVEL        debug, info, warn or error; empty: "info"
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
	"github.com/nextrush/nextrush/plugins/health"
	"github.com/nextrush/nextrush/plugins/metrics"
	"github.com/nextrush/nextrush/websocket"
)

// shutdownTime is how long requests and sockets have to end after the drain delay.
// The process manager must wait for longer than both together
// (terminationGracePeriodSeconds, TimeoutStopSec).
const shutdownTime = 20 * time.Second

type config struct {
	addr, cert, key  string
	proxies, origins []string
	metricsToken     string
	drainDelay       time.Duration
	level            slog.Level
}

// load reads the configuration; a mistake in it is an error that names the variable.
func load(getenv func(string) string) (config, error) {
	c := config{
		addr: cmp.Or(getenv("ADDR"), ":3000"),
		cert: getenv("TLS_CERT"), key: getenv("TLS_KEY"),
		proxies: list(getenv("TRUSTED_PROXIES")), origins: list(getenv("ALLOW_ORIGINS")),
		metricsToken: getenv("METRICS_TOKEN"),
	}
	if (c.cert == "") != (c.key == "") {
		return c, fmt.Errorf("TLS_CERT and TLS_KEY: set both or none")
	}
	if err := c.level.UnmarshalText([]byte(cmp.Or(getenv("LOG_LEVEL"), "info"))); err != nil {
		return c, fmt.Errorf("LOG_LEVEL: %w", err)
	}
	var err error
	if c.drainDelay, err = time.ParseDuration(cmp.Or(getenv("DRAIN_DELAY"), "5s")); err != nil {
		return c, fmt.Errorf("DRAIN_DELAY: %w", err)
	}
	return c, nil
}

func list(s string) []string {
	return strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
}

// newApp panics if the lists in the configuration hold anything other than addresses
// and origins; the message says what.
func newApp(c config, logs io.Writer) (*nextrush.App, error) {
	app := nextrush.New(nextrush.Options{
		Logger:          slog.New(middleware.TraceLog(slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: c.level}))),
		TrustedProxies:  c.proxies,
		BodyLimit:       1 << 20,
		ShutdownTimeout: c.drainDelay + shutdownTime,
	})
	probes := health.New(health.Options{DrainDelay: c.drainDelay}).Check("store", ping)
	if err := app.Register(probes); err != nil {
		return nil, err
	}
	if c.metricsToken != "" {
		guard := middleware.BearerAuth(middleware.BearerAuthOptions{Tokens: map[string]string{c.metricsToken: "prometheus"}})
		if err := app.Register(metrics.New(metrics.Options{Guard: []nextrush.Handler{guard}})); err != nil {
			return nil, err
		}
	}
	limit := middleware.RateLimit(middleware.RateLimitOptions{Requests: 600, Window: time.Minute, Burst: 100})
	app.Use(
		middleware.RequestID(),
		middleware.Trace(),
		middleware.Logger(middleware.LoggerOptions{Skip: isProbe}),
		middleware.Recover(),
		middleware.SecureHeaders(),
		middleware.CSRF(),
		middleware.Skip(isProbe, limit),
		middleware.Timeout(10*time.Second),
		middleware.Compress(),
	)
	app.EnableWebSocket(websocket.Options{
		MaxConnections:      10_000,
		MaxConnectionsPerIP: 100,
		MaxMessageSize:      16 << 10,
		AllowOrigins:        c.origins,
		RateLimit:           websocket.RateLimit{Messages: 20, Burst: 40},
	})
	routes(app)
	return app, nil
}

// ping stands for the PingContext of a database.
func ping(context.Context) error { return nil }

func isProbe(c *nextrush.Context) bool {
	return c.Path() == "/livez" || c.Path() == "/readyz" || c.Path() == "/metrics"
}

type greeting struct {
	Name string `path:"name" json:"name" validate:"required,max=64"`
}

// routes registers what the program is for.
func routes(app *nextrush.App) {
	app.Get("/hello/:name", func(c *nextrush.Context) error {
		var in greeting
		if err := c.Bind(&in); err != nil {
			return err
		}
		return c.JSON(map[string]string{"message": "Hello, " + in.Name})
	})
	app.WS("/ws", func(s *websocket.Socket, c *nextrush.Context) error {
		websocket.Handle(s, "greet", func(_ context.Context, _ *websocket.Socket, in greeting) (string, error) {
			return "Hello, " + in.Name, nil
		})
		return nil
	})
}

func run() error {
	c, err := load(os.Getenv)
	if err != nil {
		return err
	}
	app, err := newApp(c, os.Stdout)
	if err != nil {
		return err
	}
	if c.cert != "" {
		return app.ListenTLS(c.addr, c.cert, c.key)
	}
	return app.Listen(c.addr)
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "production:", err)
		os.Exit(1)
	}
}
