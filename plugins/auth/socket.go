package auth

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/websocket"
)

// StatusUnauthorized is the close code of a socket whose token is missing, is
// refused or has expired; 4000 to 4999 are for applications (RFC 6455 §7.4.2).
const StatusUnauthorized websocket.StatusCode = 4401

// Subprotocol is offered before a token in Sec-WebSocket-Protocol, and is what
// the server answers.
const Subprotocol = "bearer"

// isUpgrade takes no other method than that of a handshake (RFC 6455 §4.1), so that a
// ticket changes nothing and buys no other ticket.
func isUpgrade(c *nextrush.Context) bool {
	protocols := strings.Split(strings.Join(c.Request().Header["Upgrade"], ","), ",")
	return c.Method() == http.MethodGet && slices.ContainsFunc(protocols, func(protocol string) bool {
		return strings.EqualFold(strings.TrimSpace(protocol), "websocket")
	})
}

// offeredToken returns what follows the subprotocol in an offer: in a browser,
// new WebSocket(url, ["bearer", token]).
func offeredToken(h http.Header) string {
	offer := strings.Split(strings.Join(h["Sec-Websocket-Protocol"], ","), ",")
	for i, protocol := range offer {
		if strings.TrimSpace(protocol) == Subprotocol && i+1 < len(offer) {
			return strings.TrimSpace(offer[i+1])
		}
	}
	return ""
}

// session is who holds a socket.
type session struct {
	mu    sync.Mutex // guards what follows
	user  *Principal
	timer *time.Timer // closes the socket; nil before a user who expires
}

// admit makes the user of an upgrade that of the socket.
func (p *Plugin) admit(s *websocket.Socket, c *nextrush.Context, next func() error) error {
	if s.Protocol() == "" && offeredToken(c.Request().Header) != "" {
		return errors.New(`auth: a browser closes a socket whose offer of "bearer" is not answered: add auth.Subprotocol to websocket.Options.Protocols`)
	}
	if user := User(c); user != nil {
		p.hold(s, user)
	}
	return next()
}

// hold has user hold the socket until the token expires.
func (p *Plugin) hold(s *websocket.Socket, user *Principal) {
	held := &session{user: user}
	held.mu.Lock()
	defer held.mu.Unlock()
	p.arm(s, held)
	s.Set(stateKey, held)
}

// arm sets the timer for the user who holds the socket; held.mu is locked.
func (p *Plugin) arm(s *websocket.Socket, held *session) {
	switch {
	case held.user.ExpiresAt.IsZero() || s.Context().Err() != nil:
	case held.timer != nil:
		held.timer.Reset(p.left(held.user))
	default:
		timer := time.AfterFunc(p.left(held.user), func() { p.expire(s, held) })
		context.AfterFunc(s.Context(), func() { timer.Stop() })
		held.timer = timer
	}
}

// left is how long user may still hold a socket.
func (p *Plugin) left(user *Principal) time.Duration {
	return time.Until(user.ExpiresAt.Add(p.opts.Leeway))
}

func (p *Plugin) expire(s *websocket.Socket, held *session) {
	held.mu.Lock()
	expired := p.left(held.user) <= 0
	held.mu.Unlock()
	if expired {
		s.Close(StatusUnauthorized, "the token has expired")
	}
}

func sessionOf(s *websocket.Socket) *session {
	held, _ := s.Get(stateKey).(*session)
	return held
}

// SocketUser returns who holds a socket, with what the last Refresh has brought,
// or nil. It is safe from any goroutine.
func SocketUser(s *websocket.Socket) *Principal {
	held := sessionOf(s)
	if held == nil {
		return nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	return held.user
}

// Refresh gives a socket a newer token of the user who holds it: the socket
// lives until that one expires. When it is refused the old one still counts.
// The error may be returned from the handler of an event.
func (p *Plugin) Refresh(s *websocket.Socket, token string) error {
	held := sessionOf(s)
	if held == nil {
		return unauthorized(refused("nobody holds the socket"))
	}
	user, err := p.Verify(s.Context(), token)
	if err != nil {
		return unauthorized(err)
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	if user.ID != held.user.ID {
		return unauthorized(refused("the token is somebody else's"))
	}
	held.user = user
	p.arm(s, held)
	return nil
}

// FirstMessage returns who holds the socket; if nobody does, it waits for a
// message {"token": "…"} that tells. It is for the beginning of a handler, to
// return its error: when none comes in time, or with a token that is refused,
// the socket is closed with 4401.
func (p *Plugin) FirstMessage(s *websocket.Socket, timeout time.Duration) (*Principal, error) {
	if user := SocketUser(s); user != nil {
		return user, nil
	}
	ctx, cancel := context.WithTimeout(s.Context(), timeout)
	defer cancel()
	m, err := s.Receive(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, &websocket.CloseError{Code: StatusUnauthorized, Reason: "no token came in time"}
	}
	if err != nil {
		return nil, err
	}
	user, err := p.Verify(ctx, tokenIn(m))
	if errors.Is(err, ErrToken) {
		return nil, &websocket.CloseError{Code: StatusUnauthorized, Reason: why(err), Err: err}
	}
	if err != nil {
		return nil, err
	}
	p.hold(s, user)
	return user, nil
}

func tokenIn(m websocket.Message) string {
	var first struct {
		Token string `json:"token"`
	}
	json.Unmarshal(m.Bytes(), &first) // other messages have no token
	return first.Token
}
