package httploop

import (
	"errors"
	"net"
	"net/http"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
)

const (
	acceptTurn = 64 // connections that are taken before others have a turn
	minBackOff = 5 * time.Millisecond
	maxBackOff = time.Second
)

// CanServe reports whether the server can take connections of ln: a listener of TCP or of
// Unix sockets, as package net makes it, on Linux.
func CanServe(ln net.Listener) bool {
	switch ln.(type) {
	case *net.TCPListener:
		return runtime.GOOS == "linux"
	case *net.UnixListener: // of one of packets a short read does not tell that nothing more is there
		return runtime.GOOS == "linux" && ln.Addr().Network() == "unix"
	}
	return false
}

// Serve takes the connections of a listener for which CanServe is true, until Shutdown or
// Close is called, and closes it. It returns http.ErrServerClosed then. A listener that
// is our own is polled, which costs the least; the connections of any other are as its
// Accept makes them.
func (s *Server) Serve(ln net.Listener, own bool) error {
	defer ln.Close()
	l := &listener{srv: s, ln: ln, ended: make(chan error, 1)}
	if !s.listen(l) {
		return http.ErrServerClosed
	}
	defer s.unlisten(l)
	// A listener that is not polled counts, too: a handler that has taken the last connection
	// over, and blocks, is then still found.
	s.loop.Add()
	defer s.loop.Remove()
	if own && l.poll() == nil {
		defer l.close()
		return <-l.ended
	}
	return l.acceptAll()
}

// listener takes connections.
type listener struct {
	srv   *Server
	ln    net.Listener
	desc  poll.Conn  // of a listener of our own
	ended chan error // why it accepts no more

	taking sync.Mutex // held while a connection is taken

	mu      sync.Mutex // guards what follows
	busy    bool       // a goroutine accepts
	again   bool       // there may be more
	backOff time.Duration
}

func (s *Server) listen(l *listener) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return false
	}
	s.listeners[l] = true
	return true
}

func (s *Server) unlisten(l *listener) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.listeners, l)
	s.checkNoneLocked()
}

// stopListening has Serve return. Connections that have been accepted by then are taken.
func (s *Server) stopListening(first time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.first = int64(first)
	s.closing.Store(true)
	for l := range s.listeners {
		l.end(http.ErrServerClosed)
		l.ln.Close()
	}
	s.checkNoneLocked()
}

func (l *listener) end(err error) {
	select {
	case l.ended <- err:
	default:
	}
}

// acceptAll takes connections as net/http does.
func (l *listener) acceptAll() error {
	for {
		conn, err := l.ln.Accept()
		if err == nil {
			l.calm()
			l.srv.take(l, conn)
			continue
		}
		select {
		case err := <-l.ended:
			return err
		default:
		}
		var temporary interface{ Temporary() bool }
		if !errors.As(err, &temporary) || !temporary.Temporary() {
			return err
		}
		time.Sleep(l.pause(err))
	}
}

// pause logs why nothing can be accepted, and returns how long to wait: each time in a row
// twice as long.
func (l *listener) pause(err error) time.Duration {
	l.mu.Lock()
	l.backOff = min(max(2*l.backOff, minBackOff), maxBackOff)
	wait := l.backOff
	l.mu.Unlock()
	l.srv.logf("http: Accept error: %v; retrying in %v", err, wait)
	return wait
}

// calm notes that something could be accepted.
func (l *listener) calm() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.backOff = 0
}

// poll has the listener's descriptor polled.
func (l *listener) poll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.srv.loop.Poller().Listen(l.ln.(syscall.Conn), &l.desc, l); err != nil {
		return err
	}
	if _, ok := l.ln.(*net.TCPListener); ok {
		l.desc.SetTCP()
	}
	return nil
}

// Ready is called by the goroutine that polls.
func (l *listener) Ready(*poll.Turn, poll.Event) {
	if l.begin() {
		l.accept()
	}
}

// Run goes on in a worker, for others are to have their turn where polling is done.
func (l *listener) Run(*loop.Worker) { l.accept() }

// begin reports whether the caller is to accept.
func (l *listener) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy {
		l.again = true
		return false
	}
	l.busy = true
	return true
}

// rest reports whether no connection has come since the last was taken.
func (l *listener) rest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.busy, l.again, l.backOff = l.again, false, 0
	return !l.busy
}

// close returns when the last connection has been taken.
func (l *listener) close() {
	l.desc.Close()
	l.taking.Lock()
	defer l.taking.Unlock()
}

// take takes a connection.
func (l *listener) take() error {
	err, failed := l.takeOne()
	if failed != nil {
		l.srv.logf("http: %v", failed)
	}
	return err
}

// takeOne returns why nothing can be accepted, or why what was accepted is not answered.
func (l *listener) takeOne() (err, failed error) {
	l.taking.Lock()
	defer l.taking.Unlock()
	fd, remote, err := l.desc.Accept()
	if err == nil {
		failed = l.srv.accepted(l, fd, remote)
	}
	return err, failed
}

// accept takes what there is, or some of it.
func (l *listener) accept() {
	for range acceptTurn {
		err := l.take()
		switch {
		case err == nil:
		case err == poll.ErrAgain:
			if l.rest() {
				return
			}
		case errors.Is(err, net.ErrClosed):
			return
		case isTemporary(err):
			time.AfterFunc(l.pause(err), func() { l.srv.loop.Go(l) })
			return
		default:
			l.end(err)
			return
		}
	}
	l.srv.loop.Go(l)
}

// isTemporary reports a lack of descriptors or memory, or a fault of one connection
// (accept(2)).
func isTemporary(err error) bool {
	var errno syscall.Errno
	return errors.As(err, &errno) && (errno.Temporary() || errno == syscall.ENOBUFS || errno == syscall.ENOMEM)
}
