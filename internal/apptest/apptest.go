// Package apptest serves an App to tests as programs do: by its own server, where
// httptest.NewServer would have net/http answer, whatever Options.Server says. The
// environment variable NEXTRUSH_SERVER is what serves the Apps of a test that do not say:
// "loop" or "net/http".
package apptest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/nextrush/nextrush/internal/server"
)

func init() {
	switch kind := os.Getenv("NEXTRUSH_SERVER"); kind {
	case "":
	case "loop", "net/http":
		server.Auto = kind == "loop"
	default:
		panic("apptest: NEXTRUSH_SERVER is neither loop nor net/http")
	}
}

// App is a nextrush.App, which this package does not import, so that the App's own tests
// can use it.
type App interface {
	Serve(net.Listener) error
	Shutdown(context.Context) error
}

// Server is an App that listens on a port of the loopback.
type Server struct {
	URL  string // http:// and Addr
	Addr string // host and port

	app    App
	client *http.Client
	result chan error
}

// Serve serves an App until Stop. It panics if there is no port.
func Serve(app App) *Server {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic("apptest: " + err.Error())
	}
	s := &Server{URL: "http://" + ln.Addr().String(), Addr: ln.Addr().String(), app: app, result: make(chan error, 1)}
	s.client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	go func() { s.result <- app.Serve(ln) }()
	return s
}

// Client returns a client whose connections Stop ends.
func (s *Server) Client() *http.Client { return s.client }

// shutdownTimeout is how long Stop waits for requests.
const shutdownTimeout = 10 * time.Second

// Close is Stop for tests that do not ask for the error.
func (s *Server) Close() { s.Stop() }

// Stop shuts the App down, and returns the errors of that and of Serve.
func (s *Server) Stop() error {
	s.client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	return errors.Join(s.app.Shutdown(ctx), <-s.result)
}
