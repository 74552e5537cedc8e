package websocket

import (
	"cmp"
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
	"strings"
	"unique"

	"github.com/nextrush/nextrush/websocket/internal/conn"
	"github.com/nextrush/nextrush/websocket/internal/wire"
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
	u, err := parseURL(rawURL)
	if err != nil {
		return nil, err
	}
	o := opts.Options
	o.MaxConnections, o.MaxConnectionsPerIP, o.MaxConnectionsPerUser, o.AllowOrigins = 0, 0, 0, nil
	if o, err = o.withDefaults(); err != nil {
		return nil, err
	}
	if o.HandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, o.HandshakeTimeout)
		defer cancel()
	}
	return shake(ctx, u, opts, o)
}

func parseURL(rawURL string) (*url.URL, error) {
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

// shake performs the opening handshake. The transport of net/http knows of
// proxies, of answers before the 101 (RFC 9110 §15.2), and of headers without end.
func shake(ctx context.Context, u *url.URL, opts *DialOptions, o Options) (*Socket, error) {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	d := dialing{ctx: ctx}
	trace := &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { d.conn = i.Conn }}
	req := request(u, key, opts, o).WithContext(httptrace.WithClientTrace(ctx, trace))
	resp, err := d.transport(opts).RoundTrip(req)
	if err == nil && !d.stop() {
		resp.Body.Close()
		err = ctx.Err()
	}
	if err != nil {
		return nil, dialError(ctx, err)
	}
	deflate, err := checkAnswer(resp, key, opts, o)
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	stream, ok := resp.Body.(io.ReadWriteCloser)
	if !ok {
		resp.Body.Close()
		return nil, dialError(ctx, errors.ErrUnsupported)
	}
	return newClient(&upgraded{d.conn, stream}, u, resp, deflate, opts, o)
}

// maxAnswerHeader is how many bytes of headers a server may answer with.
const maxAnswerHeader = 64 << 10

// dialing is a handshake under way. The transport of net/http would go on with a
// connection that nobody waits for any more: this one ends with its context.
type dialing struct {
	ctx  context.Context
	conn net.Conn
	stop func() bool // ends the watch on ctx, unless it has ended
}

func (d *dialing) transport(opts *DialOptions) *http.Transport {
	dial := opts.NetDial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	t := &http.Transport{
		Proxy: opts.Proxy,
		DialContext: func(_ context.Context, network, address string) (net.Conn, error) {
			conn, err := dial(d.ctx, network, address)
			if err == nil {
				d.stop = context.AfterFunc(d.ctx, func() { conn.Close() })
			}
			return conn, err
		},
		TLSClientConfig:        opts.TLSConfig.Clone(),
		MaxResponseHeaderBytes: maxAnswerHeader,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		Protocols:              new(http.Protocols),
	}
	t.Protocols.SetHTTP1(true)
	if t.Proxy == nil && opts.NetDial == nil {
		t.Proxy = http.ProxyFromEnvironment
	}
	return t
}

// upgraded is a connection after its 101: stream begins with what the transport
// has read already.
type upgraded struct {
	net.Conn
	stream io.ReadWriteCloser
}

func (c *upgraded) Read(b []byte) (int, error) { return c.stream.Read(b) }

func (c *upgraded) CloseWrite() error {
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

func request(u *url.URL, key string, opts *DialOptions, o Options) *http.Request {
	target := *u
	target.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	h := opts.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-WebSocket-Version", "13")
	h.Set("Sec-WebSocket-Key", key)
	if len(opts.Protocols) > 0 {
		h.Set("Sec-WebSocket-Protocol", strings.Join(opts.Protocols, ", "))
	}
	if o.Compression.Enabled {
		h.Set("Sec-WebSocket-Extensions", wire.OfferDeflate(o.Compression.ContextTakeover))
	}
	if u.User != nil && h.Get("Authorization") == "" {
		password, _ := u.User.Password()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return &http.Request{Method: http.MethodGet, URL: &target, Host: cmp.Or(h.Get("Host"), u.Host), Header: h, ProtoMajor: 1, ProtoMinor: 1}
}

// checkAnswer applies RFC 6455 §4.1 to the server's answer.
func checkAnswer(resp *http.Response, key string, opts *DialOptions, o Options) (*wire.Deflate, error) {
	refused := &HandshakeError{Status: resp.StatusCode, Header: resp.Header}
	h := resp.Header
	protocol := h.Get("Sec-WebSocket-Protocol")
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		refused.Message = http.StatusText(resp.StatusCode)
		refused.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, refused
	case !wire.TokenListContains(h["Upgrade"], "websocket") || !wire.TokenListContains(h["Connection"], "upgrade"):
		refused.Message = "answer does not upgrade to WebSocket"
		return nil, refused
	case h.Get("Sec-WebSocket-Accept") != wire.AcceptKey(key):
		refused.Message = "answer has a wrong Sec-WebSocket-Accept"
		return nil, refused
	case len(h["Sec-Websocket-Protocol"]) > 1 || protocol != "" && choose(opts.Protocols, []string{protocol}) == "":
		refused.Message = "answer has a subprotocol that was not offered"
		return nil, refused
	}
	extensions := h["Sec-Websocket-Extensions"]
	if len(extensions) == 0 {
		return nil, nil
	}
	if !o.Compression.Enabled {
		refused.Message = "answer has an extension that was not offered"
		return nil, refused
	}
	d, ok, err := wire.AcceptDeflate(extensions, o.Compression.ContextTakeover)
	if err != nil {
		refused.Message, refused.Err = "answer has a wrong extension", err
		return nil, refused
	}
	if !ok {
		return nil, nil
	}
	return &d, nil
}

func newClient(nc net.Conn, u *url.URL, resp *http.Response, d *wire.Deflate, opts *DialOptions, o Options) (*Socket, error) {
	connected := o.OnConnection
	o.OnConnection = nil // the handler below runs it
	eng := new(engine)
	eng.init(o, nil)
	s := eng.main.newSocket(context.Background())
	s.ip, s.path = host(nc.RemoteAddr().String()), u.Path
	s.info = unique.Make(handshakeInfo{protocol: resp.Header.Get("Sec-WebSocket-Protocol")})
	if d != nil {
		s.conn.Compress(*d)
	}
	if s.takesBytes() {
		s.useEvents() // for the server's hello
	}
	ready := make(chan error, 1)
	s.open(conn.Opening{Conn: nc})
	eng.loop.Go(&handling{s, func(s *Socket) (err error) {
		err = errExited // unless the handler returns
		defer func() { ready <- err }()
		if connected != nil {
			s.protect(func() { connected(s) })
		}
		if opts.Handler == nil {
			return nil
		}
		return opts.Handler(s)
	}})
	var end *CloseError
	if err := <-ready; err != nil && !errors.As(err, &end) {
		return nil, err
	}
	return s, nil
}

// host strips the port of an address.
func host(addr string) string {
	if h, _, err := net.SplitHostPort(addr); err == nil {
		return h
	}
	return addr
}
