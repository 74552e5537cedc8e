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

// StatusUnauthorized is the close code of a socket whose token is missing, refused or
// expired. Codes 4000 to 4999 are for applications (RFC 6455 §7.4.2).
const StatusUnauthorized websocket.StatusCode = 4401

// Subprotocol is what a client offers before the token in Sec-WebSocket-Protocol, and
// what the server answers.
const Subprotocol = "bearer"

// isUpgrade accepts only GET, the method of a handshake (RFC 6455 §4.1), so that nobody
// can change anything with a ticket, or get another ticket for it.
func isUpgrade(c *nextrush.Context) bool {
	protocols := strings.Split(strings.Join(c.Request().Header["Upgrade"], ","), ",")
	return c.Method() == http.MethodGet && slices.ContainsFunc(protocols, func(protocol string) bool {
		return strings.EqualFold(strings.TrimSpace(protocol), "websocket")
	})
}

// isProbe tells a request that asks what an upgrade would be answered; see
// docs/protocol.md.
func isProbe(c *nextrush.Context) bool {
	return c.Header("NextRush-Probe") == "1" && c.Method() == http.MethodGet && !isUpgrade(c)
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

// session says who holds a socket.
type session struct {
	mu    sync.Mutex // guards what follows
	user  *Principal
	timer *time.Timer // closes the socket; nil until there is a user who expires
}

// admit makes the user of the upgrade the holder of the socket.
func (p *Plugin) admit(s *websocket.Socket, c *nextrush.Context, next func() error) error {
	if s.Protocol() == "" && offeredToken(c.Request().Header) != "" {
		return errors.New(`auth: browsers close a socket if their offer of "bearer" is not answered: add auth.Subprotocol to websocket.Options.Protocols`)
	}
	if user := User(c); user != nil {
		if err := p.hold(s, user); err != nil {
			return err
		}
	}
	return next()
}

// hold makes user the holder of the socket until the token expires. To the engine it is the
// socket of that user, unless the app has said another, so that the limits for users, and
// those for sockets of nobody, are right without more.
func (p *Plugin) hold(s *websocket.Socket, user *Principal) error {
	if id, _ := s.User(); id == "" && user.ID != "" {
		if err := s.SetUser(user.ID, nil); err != nil {
			return err
		}
	}
	held := &session{user: user}
	held.mu.Lock()
	defer held.mu.Unlock()
	p.armLocked(s, held)
	s.Set(stateKey, held)
	s.SetCredential(websocket.Credential{Expires: user.ExpiresAt, Renew: p.renew, RenewTicket: p.renewTicket})
	return nil
}

// renew is Refresh for clients of nextrush.v1, which send the newer token by themselves.
func (p *Plugin) renew(s *websocket.Socket, token string) (time.Time, error) {
	if err := p.Refresh(s, token); err != nil {
		return time.Time{}, err
	}
	return SocketUser(s).ExpiresAt, nil
}

// renewTicket is renew for a ticket.
func (p *Plugin) renewTicket(s *websocket.Socket, ticket string) (time.Time, error) {
	user, err := p.redeem(s.Context(), ticket)
	if err != nil {
		return time.Time{}, unauthorized(err)
	}
	if err := p.extend(s, user); err != nil {
		return time.Time{}, err
	}
	return user.ExpiresAt, nil
}

// armLocked sets the timer for the user who holds the socket, under held.mu.
func (p *Plugin) armLocked(s *websocket.Socket, held *session) {
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

// left returns how long user may still hold a socket.
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

// SocketUser returns the holder of a socket, as of the last Refresh, or nil. It is safe
// from any goroutine.
func SocketUser(s *websocket.Socket) *Principal {
	held := sessionOf(s)
	if held == nil {
		return nil
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	return held.user
}

// Refresh gives a socket a newer token of the user who holds it; the socket lives
// until that token expires. If the new token is refused, the old one still counts.
// The handler of an event may return the error.
func (p *Plugin) Refresh(s *websocket.Socket, token string) error {
	if sessionOf(s) == nil {
		return unauthorized(errNobody)
	}
	user, err := p.Verify(s.Context(), token)
	if err != nil {
		return unauthorized(err)
	}
	return p.extend(s, user)
}

var errNobody = refused("nobody holds the socket")

// extend has the holder of the socket hold it as what he is known as now.
func (p *Plugin) extend(s *websocket.Socket, user *Principal) error {
	held := sessionOf(s)
	if held == nil {
		return unauthorized(errNobody)
	}
	held.mu.Lock()
	defer held.mu.Unlock()
	if user.ID != held.user.ID {
		return unauthorized(refused("the token is somebody else's"))
	}
	held.user = user
	p.armLocked(s, held)
	return nil
}

// FirstMessage returns the holder of the socket. If there is none, it waits for a
// message {"token": "…"} and makes the user of that token the holder. Call it at the
// beginning of a handler, and return its error: if no message comes in time, or the
// token is refused, the error closes the socket with 4401; with 4429 if the user has as
// many sockets as websocket.Options.MaxConnectionsPerUser allows.
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
	if err := p.hold(s, user); err != nil {
		return nil, err
	}
	return user, nil
}

func tokenIn(m websocket.Message) string {
	var first struct {
		Token string `json:"token"`
	}
	json.Unmarshal(m.Bytes(), &first) // if it fails, there is no token
	return first.Token
}
