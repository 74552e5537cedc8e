package server

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/httploop"
	"github.com/nextrush/nextrush/internal/stall"
)

// Auto is whether the event loop serves what it can for Apps that do not say. Package
// apptest changes it.
var Auto = true

// serveLoop has the event loop serve a listener. net/http gets the connections whose
// requests it is to answer.
func (s *Server) serveLoop(ln net.Listener, own bool) error {
	loop := s.eventLoop()
	if loop == nil || !s.track(ln) {
		ln.Close()
		return http.ErrServerClosed
	}
	defer s.accepting.Done()
	if err := loop.Serve(ln, own); s.closing.Err() == nil {
		return err
	}
	return nil
}

// eventLoop returns the one server of the event loop; nil: the server has closed.
func (s *Server) eventLoop() *httploop.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Err() != nil {
		return nil
	}
	if s.loop == nil {
		ejected := &funnel{conns: make(chan net.Conn), closed: make(chan struct{})}
		s.ejected = stall.Listen(ejected, s.config.StallTimeout)
		s.listeners = append(s.listeners, ejected)
		s.accepting.Go(func() { s.http.Serve(s.ejected) })
		s.loop = httploop.New(httploop.Config{
			Handler: preparer(s.config.Prepare),
			HTTP:    s.http,
			Base:    s.requests,
			Stall:   s.config.StallTimeout,
			Eject:   ejected.give,
		})
	}
	return s.loop
}

type preparer func(w http.ResponseWriter, r *http.Request, fields *h1.Fields) httploop.Job

func (p preparer) Prepare(w http.ResponseWriter, r *http.Request, fields *h1.Fields) httploop.Job {
	return p(w, r, fields)
}

// funnel is a listener for connections that have been accepted elsewhere.
type funnel struct {
	conns  chan net.Conn
	once   sync.Once
	closed chan struct{}
}

func (f *funnel) give(conn net.Conn) {
	select {
	case f.conns <- conn:
	case <-f.closed:
		conn.Close()
	}
}

func (f *funnel) Accept() (net.Conn, error) {
	select {
	case conn := <-f.conns:
		return conn, nil
	case <-f.closed:
		return nil, net.ErrClosed
	}
}

func (f *funnel) Close() error {
	f.once.Do(func() { close(f.closed) })
	return nil
}

func (f *funnel) Addr() net.Addr { return &net.UnixAddr{} }

func (s *Server) loopServer() *httploop.Server {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loop
}

// finishLoop waits until the connections of the event loop have ended.
func (s *Server) finishLoop(ctx context.Context) error {
	if l := s.loopServer(); l != nil {
		return l.Shutdown(ctx, firstRequest)
	}
	return nil
}

func (s *Server) closeLoop() {
	if l := s.loopServer(); l != nil {
		l.Close()
	}
}
