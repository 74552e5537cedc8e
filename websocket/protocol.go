package websocket

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/envelope"
	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/room"
	"github.com/nextrush/nextrush/websocket/internal/spread"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Protocol is the subprotocol of our own clients. A server agrees to it if it is offered,
// before those of Options.Protocols, and says hello in the first message. What it adds is
// in docs/protocol.md; a socket without it has nothing of that. For a client it is one of
// DialOptions.Protocols.
//
// With it an event whose last argument is a []byte is one binary message: the length of an
// envelope in two bytes, the most significant first; the envelope, as in a text message but
// without that argument; the bytes. Without it the bytes are base64 in the text, as
// encoding/json has them.
const Protocol = protocol.Name

// session is the owner of a connection whose peer speaks nextrush.v1. It takes what is
// not for the program, and hands on the rest. Its fields are guarded by the socket's mu.
type session struct {
	*owner
	resume     *resumption // nil: the session ends with its connection
	credential *Credential // nil: none
	pending    *room.Pending
}

func (v *session) needPending() *room.Pending {
	if v.pending == nil {
		v.pending = new(room.Pending)
	}
	return v.pending
}

// session is nil unless the peer speaks nextrush.v1.
func (s *Socket) session() *session {
	if !s.speaks {
		return nil
	}
	return s.conn.Owner().(*session)
}

// speak has a new socket speak nextrush.v1, and prepares its hello.
func (srv *Server) speak(s *Socket, claim *claimed) *protocol.Hello {
	over := srv.spread()
	s.speaks = true
	v := &session{owner: (*owner)(s)}
	s.conn.Own(v)
	s.conn.Speak(srv.beats.Told(over))
	h := &protocol.Hello{ID: s.ID(), Spread: over, Max: srv.opts.MaxMessageSize, Can: srv.told.Can()}
	if srv.opts.Resume.For > 0 {
		v.keep(claim)
		h.Can = append(h.Can, "resume")
	}
	if every := srv.opts.PingInterval; every > 0 {
		h.Beat = every * 6 / 5 // ±20 %
	}
	return h
}

// greeting is the frame of the hello; nil: there is none.
func (h *Handshake) greeting() []byte {
	if h.hello == nil {
		return nil
	}
	h.hello.Expires = h.socket.Credential().Expires
	h.socket.session().begin(h.hello)
	return conn.TextFrame(h.hello.Append(nil))
}

// Message takes a message of the protocol, or hands it on.
func (v *session) Message(op wire.Opcode, data []byte) bool {
	if deliver := v.claim(op, data); deliver != nil {
		deliver()
		return true
	}
	return v.owner.Message(op, data)
}

// Offer is Message for one that comes after others that wait.
func (v *session) Offer(op wire.Opcode, data []byte, fresh bool) (claim func() func()) {
	if deliver := v.claim(op, data); deliver != nil {
		return func() func() { return deliver }
	}
	return v.owner.Offer(op, data, fresh)
}

// claim returns what takes a message of the protocol, or nil.
func (v *session) claim(op wire.Opcode, data []byte) (deliver func()) {
	if op != wire.OpText {
		return nil
	}
	kind := protocol.KindOf(data)
	if kind == protocol.None {
		return nil
	}
	return func() { v.take(kind, data) }
}

// take does what a message of the protocol asks for. One that cannot be read is ignored,
// unless it wants an answer.
func (v *session) take(kind protocol.Kind, data []byte) {
	s := (*Socket)(v.owner)
	m, err := protocol.Parse(data)
	ask := asked{s, m.ID}
	if err != nil {
		ask.refuse(&EventError{Message: "malformed message"})
		return
	}
	switch kind {
	case protocol.Ping:
		if envelope.ValidID(m.T) {
			s.conn.Tell(conn.TextFrame(protocol.PongOf(m.T)))
		}
	case protocol.Pong:
		s.events.Load().Answer(m.T, reply{Event: &Event{Socket: s}}, 0)
	case protocol.Got:
		s.conn.Got(m.N)
	case protocol.Auth:
		v.renew(ask, &m)
	case protocol.Sync:
		v.sync(&m)
	case protocol.Presence:
		ask.done(s.ns.rooms().Say(s, s.ns.key(m.Room), m.Data))
	case protocol.Join:
		v.joinAsked(ask, &m)
	case protocol.Leave:
		v.leaveAsked(ask, &m)
	}
}

// asked is a message of the protocol that may want an answer.
type asked struct {
	s  *Socket
	id json.RawMessage
}

func (a asked) ack(v any) {
	if !envelope.ValidID(a.id) {
		return
	}
	if data, err := envelope.JSON([]any{v}); err == nil {
		a.s.SendJSON(envelope.Out{Type: envelope.Ack, ID: a.id, Data: data})
	}
}

// done answers that it was done, or with the text of why not.
func (a asked) done(err error) {
	if err != nil {
		a.refuse(&EventError{Message: err.Error()})
		return
	}
	a.ack(json.RawMessage("{}"))
}

func (a asked) refuse(err error) {
	if envelope.ValidID(a.id) {
		(&Event{Socket: a.s, id: a.id}).refuse(err)
	}
}

// ErrNoProtocol is returned for what needs a peer that speaks nextrush.v1.
var ErrNoProtocol = errors.New("websocket: the peer does not speak " + Protocol)

// Probe asks the peer's program for an answer, and returns how long that took; RTT is
// that of the peer's WebSocket. Its errors are those of Request, and ErrNoProtocol.
func (s *Socket) Probe(ctx context.Context) (time.Duration, error) {
	if !s.speaks {
		return 0, ErrNoProtocol
	}
	began := time.Now()
	_, err := s.ask(ctx, func(id string) error { return s.conn.Tell(conn.TextFrame(protocol.PingOf(id))) })
	return time.Since(began), err
}

// Credential is what somebody was let in with. Sockets whose peer speaks nextrush.v1 tell
// it when that expires, and have it renewed on the open connection.
type Credential struct {
	Expires time.Time // told in the hello if it is set before the 101; zero: never
	// Renew takes a newer credential of the same user, and returns when that expires. It
	// runs as a callback of the socket. Its error is the peer's answer, as that of the
	// handler of an event is. nil: refused.
	Renew func(s *Socket, token string) (expires time.Time, err error)
	// RenewTicket is Renew for a ticket, by which the client was let in.
	RenewTicket func(s *Socket, ticket string) (expires time.Time, err error)
}

// SetCredential says what somebody was let in with. It does nothing for a socket whose
// peer does not speak nextrush.v1.
func (s *Socket) SetCredential(c Credential) {
	if v := s.session(); v != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		v.credential = &c
	}
}

// Credential returns what SetCredential was given last.
func (s *Socket) Credential() (c Credential) {
	if v := s.session(); v != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		if v.credential != nil {
			c = *v.credential
		}
	}
	return c
}

// renew has a credential renewed, and answers when the new one expires.
func (v *session) renew(ask asked, m *protocol.Message) {
	c := ask.s.Credential()
	renew, what := c.Renew, m.Token
	if m.Ticket != nil {
		renew, what = c.RenewTicket, *m.Ticket
	}
	switch {
	case m.Ticket != nil && m.Token != "":
		ask.refuse(&EventError{Message: "malformed message"})
		return
	case renew == nil:
		ask.refuse(&EventError{Message: "nothing can be renewed"})
		return
	}
	ask.s.protect(func() {
		expires, err := renew(ask.s, what)
		switch {
		case err == nil:
			c.Expires = expires
			ask.s.SetCredential(c)
			ask.ack(renewed(expires))
		case !ask.s.closedBy(err):
			ask.refuse(err)
		}
	})
}

// renewed is the answer to a renewal.
func renewed(expires time.Time) any {
	var answer struct {
		Expires int64 `json:"expires,omitempty"` // Unix milliseconds
	}
	if !expires.IsZero() {
		answer.Expires = expires.UnixMilli()
	}
	return answer
}

// spread is the time over which clients should come back if they all were cut now.
func (srv *Server) spread() time.Duration {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.spreadLocked()
}

func (srv *Server) spreadLocked() time.Duration {
	return spread.Over(len(srv.byID), srv.opts.ReconnectRate)
}

// beatFor is what a silent server says to somebody who was told a beat.
func (srv *Server) beatFor(told uint8) (*conn.Frame, uint8) { return srv.beats.For(told, srv.spread()) }

// retryHint is when somebody may come back who has sent too much.
func (srv *Server) retryHint() string {
	return protocol.RetryReason("", spread.Min, spread.Min+srv.spread())
}

func (srv *Server) retryAfter() http.Header {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return srv.retryAfterLocked()
}

// retryAfterLocked is when somebody who is refused may come back.
func (srv *Server) retryAfterLocked() http.Header {
	seconds := int(math.Ceil(srv.spreadLocked().Seconds()))
	return http.Header{"Retry-After": {strconv.Itoa(seconds)}}
}
