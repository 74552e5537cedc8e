package websocket

import (
	"net/http"

	"github.com/nextrush/nextrush/internal/clientip"
	"github.com/nextrush/nextrush/internal/loop"
)

// admit counts an upgrade in, or says why not. One that takes the place of a socket is let in
// whatever the limits, and not counted by address while that socket is there. Parked sockets
// that nobody comes for keep nobody out of MaxConnections; register makes room.
func (srv *Server) admit(ip string, c *claimed) (reason string, refused *HandshakeError) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	o := &srv.opts
	takes := !srv.draining && srv.takeLocked(c, ip)
	switch {
	case srv.draining:
		return "shutdown", &HandshakeError{Status: http.StatusServiceUnavailable, Message: "server is shutting down",
			Header: srv.retryAfterLocked(), Err: ErrServerClosed}
	case takes:
		srv.users.Arrive(0)
		return "", nil
	case o.MaxConnections > 0 && srv.admitted-srv.parked.Len() >= o.MaxConnections:
		return "connections", &HandshakeError{Status: http.StatusServiceUnavailable, Message: "too many connections",
			Header: srv.retryAfterLocked()}
	case o.MaxConnectionsPerIP > 0 && srv.byIP[clientip.Network(ip)] >= o.MaxConnectionsPerIP:
		return "connectionsPerIP", &HandshakeError{Status: http.StatusTooManyRequests, Message: "too many connections from this address",
			Header: srv.retryAfterLocked()}
	case !srv.users.Arrive(o.MaxAnonymous):
		return "anonymous", &HandshakeError{Status: http.StatusServiceUnavailable, Message: "too many connections that have not authenticated",
			Header: srv.retryAfterLocked()}
	}
	srv.countLocked(ip, 1)
	return "", nil
}

func (srv *Server) countLocked(ip string, n int) {
	srv.admitted += n
	if srv.opts.MaxConnectionsPerIP > 0 {
		key := clientip.Network(ip)
		if srv.byIP[key] += n; srv.byIP[key] <= 0 {
			delete(srv.byIP, key)
		}
	}
}

// dismiss counts an upgrade out, once if it claims a session.
func (srv *Server) dismiss(ip string, c *claimed) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if c == nil {
		srv.countLocked(ip, -1)
		return
	}
	if !c.out && !srv.releaseLocked(c) {
		srv.countLocked(ip, -1)
	}
	c.out = true
}

// takeLocked has an upgrade take the place of the socket that it claims, if that is there and
// nobody else is about to. A parked one may have none any more: others were let in for it.
func (srv *Server) takeLocked(c *claimed, ip string) bool {
	if c == nil || c.socket == nil || srv.byID[c.socket.id] != c.socket {
		return false
	}
	r, most := c.socket.session().resume, srv.opts.MaxConnections
	if r.taker != nil || r.place != nil && most > 0 && srv.admitted-srv.parked.Len() >= most {
		return false
	}
	if r.place != nil {
		srv.parked.Remove(r.place)
		r.place, r.waits = nil, true
	}
	r.taker, c.ip = c, ip
	return true
}

// releaseLocked ends what takeLocked has begun, and reports false if there is nothing to end.
func (srv *Server) releaseLocked(c *claimed) bool {
	if !c.takesLocked() {
		return false
	}
	r := c.socket.session().resume
	if r.taker = nil; r.waits {
		r.place, r.waits = srv.parked.PushBack(c.socket), false
	}
	return true
}

func (c *claimed) takesLocked() bool {
	return c != nil && c.socket != nil && c.socket.session().resume.taker == c
}

// bequeathLocked gives the place of a socket that has ended to the upgrade that takes it.
func (srv *Server) bequeathLocked(s *Socket) {
	v := s.session()
	if !v.kept() || v.resume.taker == nil {
		return
	}
	srv.countLocked(v.resume.taker.ip, 1)
	v.resume.taker = nil
}

// part gives an upgrade a place of its own if the socket that it claims is still there: it
// does not go on with that.
func (srv *Server) part(c *claimed) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.releaseLocked(c) {
		srv.countLocked(c.ip, 1)
	}
}

// takes reports whether a socket that connects takes the place of one of a user.
func (v *session) takes(user string) bool {
	if !v.kept() {
		return false
	}
	s := (*Socket)(v.owner)
	s.mu.Lock()
	c := v.resume.claim
	s.mu.Unlock()
	if c == nil || c.socket == nil {
		return false
	}
	now, _ := c.socket.User()
	s.ns.srv.mu.Lock()
	defer s.ns.srv.mu.Unlock()
	return now == user && c.takesLocked()
}

// Parked has the server know which sessions wait for their clients.
func (v *session) Parked(is bool) {
	s, r := (*Socket)(v.owner), v.resume
	srv := s.ns.srv
	srv.mu.Lock()
	defer srv.mu.Unlock()
	switch {
	case r.taker != nil:
		r.waits = is
	case is:
		r.place = srv.parked.PushBack(s)
	case r.place != nil:
		srv.parked.Remove(r.place)
		r.place = nil
	}
}

// evictLocked ends the session that has waited longest, if there is one.
func (srv *Server) evictLocked() {
	first := srv.parked.Front()
	if first == nil {
		return
	}
	s := srv.parked.Remove(first).(*Socket)
	s.session().resume.place = nil
	srv.loop.Go(eviction{s})
}

// eviction ends a session that waits.
type eviction struct{ s *Socket }

func (e eviction) Run(*loop.Worker) { e.s.conn.Evict() }
