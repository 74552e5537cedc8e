package websocket

import (
	"container/list"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/cluster"
	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Resume says how long the session of a client of nextrush.v1 waits for it to come back
// when its connection is lost, or was closed by the client with another code than 1000.
// The socket stays open meanwhile, with its rooms, values and callbacks, and what it is
// sent waits. The client goes on where it was: each side sends again what the other has
// not got, and nothing twice.
//
// A client that comes back passes the middleware of the upgrade anew, on a socket that
// is given up when the session goes on; the user of both must be the same, as SetUser
// has said it before the 101. The handler does not run again. Sockets that wait count in
// all limits on connections; where Options.MaxConnections is reached, the one that has
// waited longest ends.
//
// A session costs about 270 bytes while it is idle, and a copy of each message until
// the client has counted it: after 32 KiB, or 5 s.
type Resume struct {
	For   time.Duration // 0: sessions end with their connections
	Bytes int           // of messages that may wait for a client, and as many of those that were sent and are not counted; over it the session ends. The queue of a session may hold twice as much, if SendQueue is less. 0: 256 KiB
}

// resumption is what a client resumes a session with, guarded by the socket's mu.
type resumption struct {
	secret, previous [16]byte // previous is good until something has come from the client since
	user             string   // at the 101
	claim            *claimed // of a socket that connects; nil: of none

	// guarded by the server's mu
	place *list.Element // in Server.parked; nil: it is not there
	taker *claimed      // of the upgrade that takes the socket's place; nil: there is none
	waits bool          // parked, with a taker
}

// claimed is the session that a client asks for.
type claimed struct {
	socket *Socket // nil: we do not have it
	token  protocol.Token
	got    uint64 // messages of it that the client has
	ip     string // of the client, if it takes the socket's place
	out    bool   // the upgrade is not counted any more; guarded by the server's mu
}

// errMoved ends a session whose client has begun another at another node.
var errMoved = errors.New("websocket: the session's client has begun anew at another node")

// errOtherUser ends a session whose client has come back as somebody else.
var errOtherUser = errors.New("websocket: the session's client came back as another user")

// claimOf finds the session that the client of an upgrade asks for; nil: it does not.
func (ns *Namespace) claimOf(r *http.Request, offer []string) *claimed {
	token, got, asked := protocol.Resumes(offer)
	if !asked || !protocol.Offered(offer) {
		return nil
	}
	c := &claimed{token: token, got: got}
	if s := ns.srv.byKey(token.ID); s != nil && s.ns == ns && s.path == r.URL.Path && s.session().opens(token.Secret) {
		c.socket = s
	}
	return c
}

// kept reports whether the session outlives its connection.
func (v *session) kept() bool { return v != nil && v.resume != nil }

// keep has a session that is not open yet outlive its connection.
func (v *session) keep(claim *claimed) {
	v.resume = &resumption{claim: claim, secret: newID()}
	(*Socket)(v.owner).conn.Keep()
}

// opens reports whether a client with that secret may have the session.
func (v *session) opens(secret [16]byte) bool {
	return v.opensTo(func(of [16]byte) bool { return subtle.ConstantTimeCompare(secret[:], of[:]) == 1 })
}

func (v *session) opensTo(fits func(secret [16]byte) bool) bool {
	if !v.kept() {
		return false
	}
	s := (*Socket)(v.owner)
	heard := s.conn.Heard()
	s.mu.Lock()
	defer s.mu.Unlock()
	r := v.resume
	now, before := fits(r.secret), fits(r.previous)
	return now || before && !heard && r.previous != [16]byte{}
}

// begin says in the hello what the client resumes a new session with.
func (v *session) begin(h *protocol.Hello) {
	if !v.kept() {
		return
	}
	s := (*Socket)(v.owner)
	user, _ := s.User()
	s.mu.Lock()
	defer s.mu.Unlock()
	v.resume.user = user
	if c := v.resume.claim; c != nil && (c.socket != nil || s.ns.srv.node == nil) {
		v.resume.claim = nil
	}
	h.Session = protocol.Token{ID: s.id, Secret: v.resume.secret}.String()
}

// resume goes on with the session that the client asks for. Otherwise it notes in the
// hello why there is a new one. An error is one after which the connection is closed.
func (h *Handshake) resume(netConn net.Conn, early []byte) (resumed bool, err error) {
	c := h.claim
	if c == nil {
		return false, nil
	}
	h.hello.Asked, h.hello.Why = true, "unknown"
	s := c.socket
	if s == nil || h.socket.conn.Sealed() {
		return false, nil
	}
	if !h.sameUser(s) {
		s.conn.Drop(errOtherUser)
		h.hello.Why = "user"
		return false, nil
	}
	opening := conn.Opening{Conn: netConn, Early: early, Answer: h.answer.Bytes(h.w.Header())}
	switch err := s.conn.Resume(opening, c.got, &h.socket.conn, h.welcome); err {
	case nil:
		s.inform(h.socket.User()) // which is newer
		h.abandon()
		return true, nil
	case conn.ErrClosed:
		h.hello.Why = "expired"
	case conn.ErrForgotten:
		h.hello.Why = "overflow"
	default:
		h.abandon()
		return false, err
	}
	return false, nil
}

// sameUser reports whether who connects is who the session was opened by.
func (h *Handshake) sameUser(s *Socket) bool {
	user, _ := h.socket.User()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.session().resume.user == user
}

// welcome is the hello of a session that goes on.
func (h *Handshake) welcome(received uint64) (frame []byte, told uint8) {
	s, r := h.claim.socket, h.claim.socket.session().resume
	s.ns.srv.dismiss(h.socket.ip, h.claim) // before the client can come again
	if c := h.socket.Credential(); c.Renew != nil || c.RenewTicket != nil || !c.Expires.IsZero() {
		s.SetCredential(c)
	}
	hello := h.hello
	hello.ID, hello.Why, hello.Got, hello.Expires = s.ID(), "", received, s.Credential().Expires
	s.mu.Lock()
	defer s.mu.Unlock()
	r.previous, r.secret = h.claim.token.Secret, newID()
	hello.Session = protocol.Token{ID: s.id, Secret: r.secret}.String()
	return conn.TextFrame(hello.Append(nil)), h.socket.conn.Told()
}

// moved tells other nodes that the client of a session, which one of them may have, has
// begun anew here. It has the hello by now, or would still go on with the old one.
func (v *session) moved() {
	s := (*Socket)(v.owner)
	s.mu.Lock()
	token := v.resume.claim.token
	v.resume.claim = nil
	s.mu.Unlock()
	secret := sha256.Sum256(token.Secret[:])
	s.ns.srv.node.Publish(&cluster.Parcel{Kind: cluster.Moved, Volatile: true, IDs: [][16]byte{token.ID}, Data: secret[:]}, nil)
}

// letGo ends sessions whose clients have begun anew at another node.
func (l local) letGo(p *cluster.Parcel) {
	fits := func(secret [16]byte) bool {
		sum := sha256.Sum256(secret[:])
		return subtle.ConstantTimeCompare(sum[:], p.Data) == 1
	}
	for _, id := range p.IDs {
		if s := l.srv.byKey(id); s != nil && s.session().opensTo(fits) {
			s.conn.Evict()
			s.conn.Drop(errMoved) // if it is not parked yet
		}
	}
}

// Counts reports whether the client counts a message: pings and counts themselves are
// not.
func (v *session) Counts(op wire.Opcode, data []byte) bool {
	if v.resume.claim != nil {
		v.moved()
	}
	if op != wire.OpText {
		return true
	}
	switch protocol.KindOf(data) {
	case protocol.Ping, protocol.Pong, protocol.Got:
		return false
	}
	return true
}

// countOf is the frame that tells a client how many of its messages have come.
func countOf(received uint64) []byte { return conn.TextFrame(protocol.Count(received)) }

// Parked reports whether the connection is lost and the socket waits for its client to
// come back; see [Resume]. Its state is StateOpen meanwhile.
func (s *Socket) Parked() bool { return s.conn.Parked() }
