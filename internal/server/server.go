// Package server is an app's server of HTTP: it has the listeners, the requests under way
// and the connections that handlers have taken over, and ends them. It knows no routes.
package server

import (
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/hijack"
	"github.com/nextrush/nextrush/internal/httploop"
	"github.com/nextrush/nextrush/internal/listen"
	"github.com/nextrush/nextrush/internal/stall"
	"github.com/nextrush/nextrush/internal/transport"
)

// Config says what to serve, and how. A time-out that is negative is none.
type Config struct {
	Handler http.HandlerFunc
	Prepare func(w http.ResponseWriter, r *http.Request, fields *h1.Fields) httploop.Job // Handler in two steps
	Loop    bool                                                                         // the event loop serves what it can
	Log     func() *slog.Logger
	Running func() string // names the requests that are left, for the log and the error of Drain

	ReadHeaderTimeout, StallTimeout, IdleTimeout time.Duration
	ShutdownTimeout                              time.Duration // of Drain, if its context has no deadline
	MaxHeaderBytes                               int
	H2C                                          bool
}

// Server serves any number of listeners. Its methods are safe from any goroutine.
type Server struct {
	config Config
	taken  hijack.Conns // by handlers

	closing context.Context // ends with Close
	close   context.CancelCauseFunc

	requests    context.Context // that of all requests to http
	endRequests context.CancelCauseFunc

	accepting sync.WaitGroup // the listeners that are served
	open      atomic.Int64   // connections that are net/http's
	last      chan struct{}  // gets a value when open becomes 0

	mu        sync.Mutex   // guards what follows
	ejected   net.Listener // of connections that the event loop has left to http; nil before its first listener
	listeners []net.Listener
	http      *http.Server
	loop      *httploop.Server // nil before its first listener
	base      context.Context  // as net/http makes it for http
}

// New returns a server without listeners.
func New(c Config) *Server {
	s := &Server{config: c, last: make(chan struct{}, 1)}
	s.closing, s.close = context.WithCancelCause(context.Background())
	s.requests, s.endRequests = context.WithCancelCause(context.Background())
	return s
}

// Closing ends when Close is called, with the cause http.ErrServerClosed.
func (s *Server) Closing() context.Context { return s.closing }

// Close has the server take no more listeners, and those wait less who look at Closing.
func (s *Server) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.close(http.ErrServerClosed)
}

// Context is what net/http begins the context of a request to the server with; nil
// before the first listener.
func (s *Server) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.base
}

// Serve serves a listener, with TLS if there is a config, until Drain is called, and
// closes it. own: nobody else has set its options. ready is called before the first
// connection is taken. Of a server that was closed before, the error is
// http.ErrServerClosed.
func (s *Server) Serve(ln net.Listener, own bool, config *tls.Config, ready func()) error {
	server, err := s.HTTP()
	if err != nil {
		ln.Close()
		return err
	}
	ready()
	if s.config.Loop && config == nil && httploop.CanServe(ln) {
		return s.serveLoop(ln, own)
	}
	ln = stall.Listen(ln, s.config.StallTimeout)
	if config != nil {
		ln = listen.TLS(transport.Listen(ln), config)
	}
	if !s.track(ln) {
		ln.Close()
		return http.ErrServerClosed
	}
	defer s.accepting.Done()
	if err := server.Serve(ln); s.closing.Err() == nil {
		return err
	}
	return nil
}

// track keeps a listener for Drain to close, unless that has begun.
func (s *Server) track(ln net.Listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return false
	}
	s.listeners = append(s.listeners, ln)
	s.accepting.Add(1)
	return true
}

// count keeps the number of open connections.
func (s *Server) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateHijacked, http.StateClosed:
		if s.open.Add(-1) == 0 {
			select {
			case s.last <- struct{}{}:
			default:
			}
		}
	}
}

// HTTP returns the one server of net/http that is under it.
func (s *Server) HTTP() (*http.Server, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil, http.ErrServerClosed
	}
	if s.http == nil {
		s.http = s.newHTTP()
		s.base = context.WithValue(context.Background(), http.ServerContextKey, s.http)
	}
	return s.http, nil
}

func (s *Server) newHTTP() *http.Server {
	h := &http.Server{
		Handler:           paced{s},
		ConnState:         s.count,
		BaseContext:       s.baseContext,
		ReadHeaderTimeout: s.config.ReadHeaderTimeout,
		IdleTimeout:       s.config.IdleTimeout,
		MaxHeaderBytes:    s.config.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.config.Log().Handler(), slog.LevelWarn),
		Protocols:         new(http.Protocols),
		// So that OPTIONS * runs through our middleware like any other.
		DisableGeneralOptionsHandler: true,
	}
	h.Protocols.SetHTTP1(true)
	h.Protocols.SetHTTP2(true)
	h.Protocols.SetUnencryptedHTTP2(s.config.H2C)
	return h
}

// left is the key of a request on a connection that the event loop has left to net/http.
type left struct{}

func (s *Server) baseContext(ln net.Listener) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ln == s.ejected {
		return context.WithValue(s.requests, left{}, true)
	}
	return s.requests
}

// ServeHTTP answers a request to any server of net/http, and keeps StallTimeout.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if timed := s.timeAnswer(w, r); timed != nil {
		defer timed.End()
		w = timed
	}
	s.config.Handler(w, r)
}

// timeAnswer returns a writer that keeps StallTimeout, or nil if the connection does, or
// the server has a time-out of its own.
func (s *Server) timeAnswer(w http.ResponseWriter, r *http.Request) *stall.Writer {
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	if !ok || s.config.StallTimeout < 0 || server.WriteTimeout > 0 {
		return nil
	}
	if _, ours := server.Handler.(paced); ours && r.ProtoMajor < 2 {
		return nil
	}
	return stall.NewWriter(w, s.config.StallTimeout, r.ProtoMajor > 1)
}

// paced is the handler of a server of ours, whose connections keep StallTimeout; of
// HTTP/2 its streams have to.
type paced struct{ *Server }

func (p paced) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, is := w.(http.Pusher); is { // HTTP/2, and not one of 1 that says PRI * HTTP/2.0
		p.Server.ServeHTTP(w, r)
		return
	}
	if r.Context().Value(left{}) != nil && (r.Method == http.MethodConnect || r.Header.Get("Upgrade") == "") {
		w.Header().Set("Connection", "close") // the event loop would read more strictly what follows
	}
	p.config.Handler(w, r)
}

// Hijack takes the connection of a response from net/http. Drain waits until it is
// closed, and ends the context closing when it should be. After Close the error is
// http.ErrServerClosed.
func (s *Server) Hijack(w http.ResponseWriter) (conn net.Conn, closing context.Context, err error) {
	if s.closing.Err() != nil {
		return nil, nil, http.ErrServerClosed
	}
	raw, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, nil, err
	}
	early := make([]byte, rw.Reader.Buffered())
	rw.Read(early)
	taken, closing := s.taken.Add(raw, early)
	if taken == nil {
		raw.Close()
		return nil, nil, http.ErrServerClosed
	}
	return taken, closing, nil
}
