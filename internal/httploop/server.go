package httploop

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nextrush/nextrush/internal/h1"
	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/pace"
)

// Handler answers requests.
type Handler interface {
	// Prepare finds out who answers a request. It is called by the goroutine that
	// polls, so it does not wait, and runs no code that might. The request has no Header:
	// who wants it makes it of the fields.
	Prepare(w http.ResponseWriter, r *http.Request, fields *h1.Fields) Job
}

// Job is one request, to be answered once.
type Job interface {
	// Pace is that of what answers: it decides where Serve is called.
	Pace() *pace.Pace
	Serve()
}

// Config says what to serve, and how.
type Config struct {
	Handler Handler
	HTTP    *http.Server    // the value of http.ServerContextKey; its limits and its ErrorLog count
	Base    context.Context // of all requests; its end is told by EndRequests
	Stall   time.Duration   // how long a client may keep an answer waiting, see package stall; negative: no limit
	Eject   func(net.Conn)  // takes a connection whose request is for net/http
}

// Server serves any number of listeners. Its methods are safe from any goroutine.
type Server struct {
	config Config
	loop   *loop.Loop
	wheel  *loop.Wheel[*conn]
	date   date

	headTime, idleTime int64 // nanoseconds; 0: no limit
	maxHead            int   // bytes

	mu        sync.Mutex // guards what follows
	listeners map[*listener]bool
	conns     *conn // the first of a list
	open      int
	closing   atomic.Bool   // connections end with the answer that is under way
	first     int64         // how long one may then wait with its first request, in nanoseconds
	closed    bool          // there are to be no more
	none      chan struct{} // closed after Shutdown has begun, when the last of both has gone
}

// New returns a server without listeners.
func New(c Config) *Server {
	l := loop.New()
	s := &Server{
		config:    c,
		loop:      l,
		wheel:     loop.NewWheel[*conn](l.Clock),
		maxHead:   c.HTTP.MaxHeaderBytes,
		headTime:  int64(max(0, c.HTTP.ReadHeaderTimeout)),
		idleTime:  int64(max(0, c.HTTP.IdleTimeout)),
		listeners: make(map[*listener]bool),
		none:      make(chan struct{}),
	}
	if s.maxHead <= 0 {
		s.maxHead = http.DefaultMaxHeaderBytes
	}
	return s
}

// addLocked counts a connection in, unless the server has closed. The connection's mu is
// held.
func (s *Server) addLocked(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return false
	case s.closing.Load():
		c.until = s.after(s.first)
	}
	c.after = s.conns
	if c.after != nil {
		c.after.before = c
	}
	s.conns = c
	s.open++
	s.loop.Add()
	return true
}

func (s *Server) remove(c *conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.before != nil {
		c.before.after = c.after
	} else {
		s.conns = c.after
	}
	if c.after != nil {
		c.after.before = c.before
	}
	c.before, c.after = nil, nil
	s.open--
	s.checkNoneLocked()
	s.loop.Remove()
}

func (s *Server) checkNoneLocked() {
	if s.closing.Load() && s.open == 0 && len(s.listeners) == 0 {
		select {
		case <-s.none:
		default:
			close(s.none)
		}
	}
}

// list is the connections, in any order.
func (s *Server) list() (all []*conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = make([]*conn, 0, s.open)
	for c := s.conns; c != nil; c = c.after {
		all = append(all, c)
	}
	return all
}

// Shutdown closes the listeners and waits until all connections have ended: at once if
// they are idle, after the answer under way if there is one, and after first if they have
// sent no request yet.
func (s *Server) Shutdown(ctx context.Context, first time.Duration) error {
	s.stopListening(first)
	now := s.loop.Now()
	for _, c := range s.list() {
		c.finish(now, first)
	}
	select {
	case <-s.none:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the listeners and all connections.
func (s *Server) Close() {
	s.stopListening(0)
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, c := range s.list() {
		c.close(net.ErrClosed)
	}
}

// EndRequests ends the contexts of the requests under way, as Config.Base has ended.
func (s *Server) EndRequests() {
	for _, c := range s.list() {
		c.cancel()
	}
}
