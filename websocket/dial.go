package websocket

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"unique"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/handshake"
)

// DialOptions configures a client. The zero value and nil are complete.
type DialOptions struct {
	Header    http.Header // sent with the handshake: cookies, authorization, origin
	Protocols []string    // subprotocols offered, in order of preference
	TLSConfig *tls.Config // for wss; nil: the system's roots
	// NetDial opens the transport; nil: net.Dialer. For wss, TLS runs over it.
	NetDial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy names the proxy for a request, for ws and for wss with the scheme http
	// or https. nil: http.ProxyFromEnvironment, but none with NetDial.
	Proxy func(*http.Request) (*url.URL, error)
	// Options are those of the socket; what only a server does is ignored.
	Options Options
	// Handler, like a server's, runs before the first message is read and before
	// Dial returns: the place to register callbacks. Its error ends the dialing.
	Handler func(*Socket) error
}

// Dial opens a client socket to a ws or wss URL (RFC 6455 §4.1). The socket
// reads from then on; a message waits, and reading with it, until there is a
// consumer for it: OnMessage, On, Receive. The context bounds the handshake
// only, together with Options.HandshakeTimeout. An answer that does not
// upgrade is a *HandshakeError.
func Dial(ctx context.Context, rawURL string, opts *DialOptions) (*Socket, error) {
	if opts == nil {
		opts = &DialOptions{}
	}
	u, err := handshake.ParseURL(rawURL)
	if err != nil {
		return nil, err
	}
	upgraded, o, err := opts.dial(ctx, u)
	if err != nil {
		return nil, err
	}
	return newClient(upgraded, u.Path, opts.Handler, o)
}

// dial performs the handshake, and fills in the options of the socket.
func (opts *DialOptions) dial(ctx context.Context, u *url.URL) (c *handshake.Upgraded, o Options, err error) {
	o = opts.Options
	o.MaxConnections, o.MaxConnectionsPerIP, o.MaxConnectionsPerUser, o.AllowOrigins = 0, 0, 0, nil
	if o, err = o.withDefaults(); err != nil {
		return nil, o, err
	}
	if o.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.HandshakeTimeout)
		defer cancel()
	}
	d := handshake.Dialer{
		Header: opts.Header, Protocols: opts.Protocols,
		Deflate: o.Compression.Enabled, Takeover: o.Compression.ContextTakeover,
		TLS: opts.TLSConfig, NetDial: opts.NetDial, Proxy: opts.Proxy,
	}
	c, refused, err := d.Dial(ctx, u)
	if refused != nil {
		err = (*HandshakeError)(refused)
	}
	return c, o, err
}

func newClient(c *handshake.Upgraded, path string, handler func(*Socket) error, o Options) (*Socket, error) {
	connected := o.OnConnection
	s := newClientSocket(c, path, o)
	if s.takesBytes() {
		s.useEvents() // for the server's hello
	}
	ready := make(chan error, 1)
	s.open(conn.Opening{Conn: c})
	s.ns.loop.Go(&handling{s, func(s *Socket) (err error) {
		err = errExited // unless the handler returns
		defer func() { ready <- err }()
		if connected != nil {
			s.protect(func() { connected(s) })
		}
		if handler == nil {
			return nil
		}
		return handler(s)
	}})
	var end *CloseError
	if err := <-ready; err != nil && !errors.As(err, &end) {
		return nil, err
	}
	return s, nil
}

// newClientSocket is a socket that is to be opened. OnConnection is for who opens it.
func newClientSocket(c *handshake.Upgraded, path string, o Options) *Socket {
	o.OnConnection = nil
	eng := new(engine)
	eng.init(o, nil)
	s := eng.main.newSocket(context.Background())
	s.ip, s.path = host(c.RemoteAddr().String()), path
	s.info = unique.Make(handshakeInfo{protocol: c.Protocol})
	if c.Deflate != nil {
		s.conn.Compress(*c.Deflate)
	}
	return s
}

// host strips the port of an address.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
