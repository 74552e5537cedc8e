package websocket

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unique"

	"github.com/nextrush/nextrush/internal/clientip"
	"github.com/nextrush/nextrush/internal/hijack"
	"github.com/nextrush/nextrush/internal/pace"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/handshake"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Handshake is an upgrade that was accepted and is not answered yet: its socket is
// connecting. Either Open or Refuse must follow. Its methods are safe from any
// goroutine.
type Handshake struct {
	socket  *Socket
	w       http.ResponseWriter
	pattern string // of net/http's router; empty: it was another
	answer  handshake.Answer
	hello   *protocol.Hello // nil unless the client speaks nextrush.v1
	claim   *claimed        // of a session; nil: it asks for none
	probe   bool            // never opened
	major   int             // of the probe's HTTP version
	pace    *pace.Pace      // of the handler, if whoever registered it has one
}

// Accept checks a request and the limits, and returns a handshake to open or refuse.
// It writes nothing; its error is a *HandshakeError, for the caller to answer.
func (srv *Server) Accept(w http.ResponseWriter, r *http.Request) (*Handshake, error) {
	return srv.main.Accept(w, r)
}

// Socket is the socket that connects.
func (h *Handshake) Socket() *Socket { return h.socket }

func (ns *Namespace) accept(w http.ResponseWriter, r *http.Request) (*Handshake, *HandshakeError) {
	srv := ns.srv
	if handshake.IsProbe(r) {
		return ns.probe(w, r)
	}
	protocols, refused := handshake.Check(r)
	if refused != nil {
		return nil, srv.refused(r, "request", "", (*HandshakeError)(refused))
	}
	ip, claim := srv.clientIP(r), ns.claimOf(r, protocols)
	if reason, hint, e := srv.let(r, ip, claim); e != nil {
		return nil, srv.refused(r, reason, hint, e)
	}
	return ns.connecting(w, r, ip, protocols, claim), nil
}

// probe is accept for a probe: it is not counted in the statistics, and the handshake only
// goes as far as the 101. Until then it holds the place of an upgrade, or the limits for
// those would not hold for what middleware does for probes.
func (ns *Namespace) probe(w http.ResponseWriter, r *http.Request) (*Handshake, *HandshakeError) {
	ip := ns.srv.clientIP(r)
	if _, _, e := ns.srv.let(r, ip, nil); e != nil {
		return nil, e
	}
	h := ns.connecting(w, r, ip, []string{protocol.Name}, nil)
	h.probe, h.major = true, r.ProtoMajor
	return h, nil
}

// let has an upgrade hold a place if it may, and otherwise says why not.
func (srv *Server) let(r *http.Request, ip string, c *claimed) (reason, hint string, refused *HandshakeError) {
	if reason, refused = srv.admit(ip, c); refused != nil {
		return reason, "", refused
	}
	accepted := false
	defer func() { // also if VerifyClient ends the goroutine
		if !accepted {
			srv.dismiss(ip, c)
			srv.users.Named()
		}
	}()
	reason, hint, refused = srv.verify(r)
	accepted = refused == nil
	return reason, hint, refused
}

// refused counts a refusal and logs why, as the page that asked learns nothing:
// a browser tells it that the connection closed with 1006.
func (srv *Server) refused(r *http.Request, reason, hint string, e *HandshakeError) *HandshakeError {
	srv.stats.Reject(reason)
	if reason == "shutdown" || !wire.TokenListContains(r.Header["Upgrade"], "websocket") {
		return e
	}
	skipped, due := srv.refusals.Due(reason)
	if !due {
		return e
	}
	attrs := []any{"status", e.Status, "reason", e.Message, "path", r.URL.Path, "remote", r.RemoteAddr}
	if e.Err != nil {
		attrs = append(attrs, "error", e.Err)
	}
	if hint != "" {
		attrs = append(attrs, "hint", hint)
	}
	if skipped > 0 {
		attrs = append(attrs, "more", skipped)
	}
	srv.opts.Logger.Warn("websocket: upgrade refused", attrs...)
	return e
}

func (srv *Server) clientIP(r *http.Request) string {
	if srv.opts.ClientIP != nil {
		return srv.opts.ClientIP(r)
	}
	return clientip.Peer(r)
}

const proxyHint = "if the page is the server's own, the proxy between has to pass on Host with its port, and X-Forwarded-Proto, and to be one of the App's TrustedProxies"

// verify checks the origin and asks VerifyClient. A panic there, or in SameOrigin or
// TrustOrigin, is a refusal.
func (srv *Server) verify(r *http.Request) (reason, hint string, refused *HandshakeError) {
	defer func() {
		if v := recover(); v != nil {
			srv.opts.Logger.Error("websocket: panic in SameOrigin, TrustOrigin or VerifyClient", "panic", v, "stack", string(debug.Stack()))
			reason, hint, refused = "client", "", &HandshakeError{Status: http.StatusInternalServerError, Message: "internal error"}
		}
	}()
	sameOrigin := handshake.OwnOrigin
	if srv.opts.SameOrigin != nil {
		sameOrigin = srv.opts.SameOrigin
	}
	if err := srv.origins.Allow(r, sameOrigin(r)); err != nil {
		return "origin", proxyHint, &HandshakeError{Status: http.StatusForbidden, Message: err.Error()}
	}
	if srv.opts.VerifyClient == nil {
		return "", "", nil
	}
	err := srv.opts.VerifyClient(r)
	if err == nil {
		return "", "", nil
	}
	var e *HandshakeError
	if errors.As(err, &e) {
		return "client", "", e
	}
	return "client", "", &HandshakeError{Status: http.StatusForbidden, Message: "refused", Err: err}
}

// connecting makes the socket, with what was negotiated.
func (ns *Namespace) connecting(w http.ResponseWriter, r *http.Request, ip string, protocols []string, claim *claimed) *Handshake {
	srv, s := ns.srv, ns.newSocket(r.Context())
	h := &Handshake{socket: s, w: w, pattern: r.Pattern, pace: pace.From(r.Context())}
	h.answer = handshake.Answer{Key: handshake.Key(r), Protocol: handshake.Choose(srv.opts.Protocols, protocols)}
	if protocol.Offered(protocols) {
		h.answer.Protocol = protocol.Name
		h.claim, h.hello = claim, srv.speak(s, claim)
	}
	s.ip, s.path = ip, strings.Clone(r.URL.Path) // not the whole request line
	s.info = unique.Make(handshakeInfo{r.UserAgent(), r.Header.Get("Origin"), h.answer.Protocol})
	if c := srv.opts.Compression; c.Enabled {
		if d, answer, ok := wire.NegotiateDeflate(r.Header["Sec-Websocket-Extensions"], c.ContextTakeover && !s.session().kept()); ok {
			h.answer.Extension = answer
			s.conn.Compress(d)
		}
	}
	if handshake.IsProbe(r) {
		return h
	}
	if again := r.URL.Query().Get("reconnect"); again != "" && again != "0" {
		srv.stats.Reconnections.Add(1)
	}
	return h
}

// Refuse gives the socket up; the caller answers the request. After Open it does
// nothing.
func (h *Handshake) Refuse() {
	if h.abandon() && !h.probe {
		h.socket.ns.stats.Reject("refused")
	}
}

// abandon ends a socket that never opened, and reports whether it did.
func (h *Handshake) abandon() bool {
	s := h.socket
	if !s.conn.Abandon() {
		return false
	}
	o := (*owner)(s)
	o.beginEnd() // which the server is not told
	o.leave()
	s.conn.RepeatEnd()
	s.ns.srv.dismiss(s.ip, h.claim)
	return true
}

// Open sends the 101 and what was queued, takes the connection away from
// net/http, and runs handler in a goroutine of its own; a nil handler does
// nothing. If it fails, the socket is refused; with a *HandshakeError nothing
// was written, and the caller answers.
func (h *Handshake) Open(handler func(*Socket) error) error {
	s := h.socket
	if h.probe {
		h.Refuse()
		return (*HandshakeError)(handshake.Taken(h.major))
	}
	if s.State() != StateConnecting {
		return &HandshakeError{Status: http.StatusInternalServerError, Message: "socket is not connecting"}
	}
	netConn, early, err := h.hijack()
	if err != nil {
		h.Refuse()
		return err
	}
	if resumed, err := h.resume(netConn, early); resumed || err != nil {
		return err
	}
	s.ns.srv.part(h.claim)
	if h.pace == nil {
		h.pace = s.ns.srv.paceOf(handler, h.pattern)
	} else {
		s.ns.srv.paces.Add(h.pace)
	}
	left := s.watchNoted()
	if !s.open(conn.Opening{Conn: netConn, Early: early, Answer: h.answer.Bytes(h.w.Header()), Hello: h.greeting(), Pace: h.pace}) {
		h.abandon()
		left()
		return ErrServerClosed
	}
	s.awaitUser()
	s.joinNoted()
	s.ns.loop.Go(&handling{s, handler})
	return nil
}

func (h *Handshake) hijack() (net.Conn, []byte, error) {
	if conn, early, err := hijack.Hold(h.w); !errors.Is(err, http.ErrNotSupported) {
		return conn, early, cannotUpgrade(err)
	}
	conn, rw, err := http.NewResponseController(h.w).Hijack()
	if err != nil {
		return nil, nil, cannotUpgrade(err)
	}
	early, err := buffered(rw.Reader)
	if err == nil {
		err = conn.SetDeadline(time.Time{})
	}
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("websocket: handshake: %w", err)
	}
	return conn, early, nil
}

func cannotUpgrade(err error) error {
	if err == nil {
		return nil
	}
	return &HandshakeError{Status: http.StatusInternalServerError, Message: "the connection cannot be upgraded", Err: err}
}

// buffered takes the bytes that came after the request.
func buffered(r *bufio.Reader) ([]byte, error) {
	n := r.Buffered()
	if n == 0 {
		return nil, nil
	}
	b, err := r.Peek(n)
	return append([]byte(nil), b...), err
}

// open opens the socket on a connection, and reports false if the server is shutting
// down or the socket was refused.
func (s *Socket) open(o conn.Opening) bool {
	o.Enter = s.entered
	opened := s.conn.Open(o)
	if opened && s.ns.opts.Debug {
		s.ns.debug(s, "websocket open", "path", s.path, "ip", s.ip)
	}
	return opened
}

// Upgrade upgrades a request on any net/http router and runs handler after the
// 101 in a goroutine of its own; it returns when the 101 is on its way. When
// the request is refused, it has been answered, and the error says why. What
// handler returns closes the socket: nil leaves it open, a *CloseError gives
// the code, any other error is 1011.
func (srv *Server) Upgrade(w http.ResponseWriter, r *http.Request, handler func(*Socket) error) error {
	return srv.main.Upgrade(w, r, handler)
}

// openOrAnswer opens an accepted handshake, or answers one that was refused.
func openOrAnswer(w http.ResponseWriter, h *Handshake, err error, handler func(*Socket) error) error {
	if err == nil {
		err = h.Open(handler)
	}
	var refused *HandshakeError
	if errors.As(err, &refused) {
		maps.Copy(w.Header(), refused.Header)
		http.Error(w, refused.Message, refused.Status)
	}
	return err
}

func parseID(id string) (key [16]byte, ok bool) {
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) != len(key) {
		return key, false
	}
	return [16]byte(b), true
}
