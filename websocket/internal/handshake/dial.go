package handshake

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Dialer asks servers for connections.
type Dialer struct {
	Header    http.Header // sent with the handshake
	Protocols []string    // subprotocols offered
	Deflate   bool        // offers compression
	Takeover  bool        // and a window that lasts
	TLS       *tls.Config
	NetDial   func(ctx context.Context, network, address string) (net.Conn, error)
	Proxy     func(*http.Request) (*url.URL, error)
}

// ParseURL reads a ws or wss URL.
func ParseURL(rawURL string) (*url.URL, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("websocket: dial: %w", err)
	}
	switch u.Scheme {
	case "ws", "http":
		u.Scheme = "ws"
	case "wss", "https":
		u.Scheme = "wss"
	default:
		return nil, fmt.Errorf("websocket: dial: scheme of %q must be ws or wss", rawURL)
	}
	if u.Host == "" || u.Fragment != "" { // RFC 6455 §3
		return nil, fmt.Errorf("websocket: dial: %q must have a host and no fragment", rawURL)
	}
	return u, nil
}

// Dial performs the opening handshake. The transport of net/http knows of
// proxies, of answers before the 101 (RFC 9110 §15.2), and of headers without end.
// An answer that does not upgrade is a refusal.
func (d *Dialer) Dial(ctx context.Context, u *url.URL) (*Upgraded, *Refusal, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	at := dialing{ctx: ctx}
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { at.conn = i.Conn }}
	req := d.request(u, key).WithContext(httptrace.WithClientTrace(ctx, trace))
	resp, err := at.transport(d).RoundTrip(req)
	if err == nil && !at.stop() {
		resp.Body.Close()
		err = ctx.Err()
	}
	if err != nil {
		return nil, nil, dialError(ctx, err)
	}
	deflate, refused := d.checkAnswer(resp, key)
	if refused != nil {
		resp.Body.Close()
		return nil, refused, nil
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		resp.Body.Close()
		return nil, nil, dialError(ctx, errors.ErrUnsupported)
	}
	return &Upgraded{at.conn, stream, resp.Header.Get("Sec-WebSocket-Protocol"), deflate}, nil, nil
}

// MaxAnswerHeader is how many bytes of headers a server may answer with.
const MaxAnswerHeader = 64 << 10

// dialing is a handshake under way. The transport of net/http would go on with a
// connection that nobody waits for any more: this one ends with its context.
type dialing struct {
	ctx  context.Context
	conn net.Conn
	stop func() bool // ends the watch on ctx, unless it has ended
}

func (at *dialing) transport(d *Dialer) *http.Transport {
	dial := d.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t := &http.Transport{
		Proxy: d.Proxy,
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(at.ctx, network, address)
			if err == nil {
				at.stop = context.AfterFunc(at.ctx, func() { conn.Close() })
			}
			return conn, err
		},
		TLSClientConfig:        d.TLS.Clone(),
		MaxResponseHeaderBytes: MaxAnswerHeader,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if t.Proxy == nil && d.NetDial == nil {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// Upgraded is a connection after its 101: stream begins with what the transport
// has read already.
type Upgraded struct {
	net.Conn
	stream   io.ReadWriteCloser
	Protocol string        // agreed on, or empty
	Deflate  *wire.Deflate // agreed on; nil: none
}

// Read reads what has come behind the answer.
func (c *Upgraded) Read(b []byte) (int, error) { return c.stream.Read(b) }

// CloseWrite tells the peer that no more comes.
func (c *Upgraded) CloseWrite() error {
	if conn, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return conn.CloseWrite()
	}
	return errors.ErrUnsupported
}

func dialError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return fmt.Errorf("websocket: dial: %w", err)
}
