package servertest

import (
	"context"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/httploop"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/internal/server"
)

func TestMain(m *testing.M) { leak.Main(m) }

// A serverKind makes servers of one kind.
type serverKind struct {
	name   string
	strict bool // refuses what RFC 9112 allows a server to refuse: see testCase.strict
	start  func(config, net.Listener) running
}

// servers are compared with the first one.
var servers = []serverKind{
	{name: "nethttp", start: startPlain},
	{name: "server", start: func(c config, ln net.Listener) running { return startOwn(c, ln, false) }},
	{name: "loop", strict: true, start: func(c config, ln net.Listener) running { return startOwn(c, ln, true) }},
}

// config is what a case asks of its server. A time-out of 0 is none.
type config struct {
	readHeaderTimeout, idleTimeout time.Duration
	maxHeaderBytes                 int // 0: 64 KiB

	handler http.Handler
	log     io.Writer
}

// running is a server that has begun to serve.
type running interface {
	Shutdown(ctx context.Context) error
	Close() error
}

// startPlain has the options that internal/server gives net/http.
func startPlain(c config, ln net.Listener) running {
	s := &http.Server{
		Handler:                      c.handler,
		ReadHeaderTimeout:            c.readHeaderTimeout,
		IdleTimeout:                  c.idleTimeout,
		MaxHeaderBytes:               c.maxHeaderBytes,
		ErrorLog:                     log.New(c.log, "", 0),
		Protocols:                    new(http.Protocols),
		DisableGeneralOptionsHandler: true,
	}
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetHTTP2(true)
	go s.Serve(ln)
	return s
}

// drainer shuts the App's server down.
type drainer struct {
	*server.Server
	served chan struct{}
}

func (d drainer) Shutdown(ctx context.Context) error {
	err := d.Drain(ctx)
	<-d.served
	return err
}

func (d drainer) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return d.Shutdown(ctx)
}

func startOwn(c config, ln net.Listener, loop bool) running {
	logger := slog.New(messages{c.log})
	pace := pace.New("")
	d := drainer{served: make(chan struct{}), Server: server.New(server.Config{
		Handler: c.handler.ServeHTTP,
		Loop:    loop,
		Prepare: func(w http.ResponseWriter, r *http.Request, fields *h1.Fields) httploop.Job {
			r.Header = fields.Header()
			return &job{w, r, c.handler, pace}
		},
		Log:               func() *slog.Logger { return logger },
		Running:           func() string { return "" },
		ReadHeaderTimeout: c.readHeaderTimeout,
		IdleTimeout:       c.idleTimeout,
		StallTimeout:      30 * time.Second,
		ShutdownTimeout:   patience,
		MaxHeaderBytes:    c.maxHeaderBytes,
	})}
	ready := make(chan struct{})
	go func() {
		defer close(d.served)
		d.Serve(ln, true, nil, func() { close(ready) })
	}()
	<-ready
	return d
}

// job is a request, for a handler.
type job struct {
	w       http.ResponseWriter
	r       *http.Request
	handler http.Handler
	pace    *pace.Pace
}

func (j *job) Pace() *pace.Pace { return j.pace }
func (j *job) Serve()           { j.handler.ServeHTTP(j.w, j.r) }

// messages writes of a record what package log would have written.
type messages struct{ io.Writer }

func (m messages) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (m messages) WithAttrs([]slog.Attr) slog.Handler               { return m }
func (m messages) WithGroup(string) slog.Handler                    { return m }
func (m messages) Handle(_ context.Context, r slog.Record) error {
	_, err := io.WriteString(m, r.Message+"\n")
	return err
}

// networks are what servers listen on. Of a Unix socket a client can tell whether the
// server has read all that was sent.
var networks = []string{"tcp", "unix"}

func listen(t *testing.T, network string) net.Listener {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = "" // the system chooses an abstract one
	}
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}
