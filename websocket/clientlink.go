package websocket

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"mime"
	"net/http"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/redial"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// clientLink is a socket whose messages are a Client's.
type clientLink struct{ s *Socket }

// linkOwner has all messages wait for Receive.
type linkOwner struct {
	*owner
	offer *redial.Offer
}

func (o linkOwner) Message(wire.Opcode, []byte) bool { return false }

func (o linkOwner) Offer(wire.Opcode, []byte, bool) (claim func() func()) {
	return func() func() { return nil }
}

func (o linkOwner) Consumes() bool { return false }

func (o linkOwner) Control(wire.Opcode, []byte) { o.offer.Alive() }

func (o linkOwner) Drained() { o.offer.Drained() }

// dial opens a connection for the client behind c.
func (c *Client) dial(ctx context.Context, offer *redial.Offer) (redial.Conn, error) {
	o := c.opts.Dial
	if o.Header = o.Header.Clone(); o.Header == nil {
		o.Header = make(http.Header)
	}
	if offer.Token != "" {
		o.Header.Set("Authorization", "Bearer "+offer.Token)
	}
	if !c.opts.Plain {
		first := []string{Protocol}
		if offer.Resume != "" {
			first = append(first, offer.Resume)
		}
		o.Protocols = append(first, o.Protocols...)
	}
	o.Options.PingInterval, o.Options.SlowConsumer = -1, CloseSlow
	o.Options.CloseTimeout = cmp.Or(o.Options.CloseTimeout, clientCloseTimeout)
	o.Options.SendQueue = cmp.Or(o.Options.SendQueue, clientSendQueue)
	upgraded, opts, err := o.dial(ctx, c.url)
	if err != nil {
		return nil, refused(err)
	}
	s := newClientSocket(upgraded, c.url.Path, opts)
	s.conn.Own(linkOwner{(*owner)(s), offer})
	s.conn.WatchDrain()
	s.open(conn.Opening{Conn: upgraded})
	s.conn.HandlerDone()
	return clientLink{s}, nil
}

// refused tells the client of an answer that does not upgrade.
func refused(err error) error {
	h, ok := errors.AsType[*HandshakeError](err)
	if !ok {
		return err
	}
	kind, _, _ := mime.ParseMediaType(h.Header.Get("Content-Type"))
	return &redial.Refused{Status: h.Status, Problem: kind == "application/problem+json", RetryAfter: h.Header.Get("Retry-After"), Err: h}
}

func (l clientLink) Protocol() string { return l.s.Protocol() }

func (l clientLink) Receive() (redial.Message, *redial.End) {
	op, data, err := l.s.conn.Receive(context.Background())
	if err != nil {
		e := l.s.conn.End()
		return redial.Message{}, redial.Ended(int(e.Code), e.Reason, e.Remote, e.Err)
	}
	return redial.Message{Binary: op == wire.OpBinary, Data: data}, nil
}

func (l clientLink) Send(m redial.Message) {
	op := wire.OpText
	if m.Binary {
		op = wire.OpBinary
	}
	l.s.conn.Send(op, m.Data) // if that fails, the connection ends
}

func (l clientLink) Buffered() int { return l.s.Buffered() }

func (l clientLink) Ping() { l.s.Ping(nil) }

func (l clientLink) Close(code int, reason string) { l.s.Close(StatusCode(code), reason) }

// randomKey is 26 characters, of 130 random bits.
func randomKey() string { return rand.Text() }
