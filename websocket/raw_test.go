package websocket

import (
	"bufio"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/memnet"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// patience is how long a test waits for what must happen. In a synctest bubble
// it is fake time, longer than all the engine's own time-outs.
const patience = time.Minute

// soon is when what must not wait for something else has happened at the latest:
// far longer than it takes on a busy machine, and before the engine's own time-outs.
const soon = 9 * time.Second

// network is one of the transports that the suites run on.
type network struct {
	name     string
	portable bool // without polling
	listen   func(testing.TB) (net.Listener, func() (net.Conn, error))
}

// run runs a test over TCP with each driver, over TLS, and over pipes in memory.
func run(t *testing.T, f func(t *testing.T, n network)) {
	for _, n := range []network{overTCP, overTLS, portable, inMemory} {
		t.Run(n.name, func(t *testing.T) { f(t, n) })
	}
}

var overTCP = network{"tcp", false, listenTCP}

var overTLS = network{"tls", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	l, dial := listenTCP(t)
	client, server := tlsConfigs()
	return tls.NewListener(PollListener(l), server), func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, client), nil
	}
}}

// tlsConfigs are of a client that trusts the server.
var tlsConfigs = sync.OnceValues(func() (client, server *tls.Config) {
	ts := httptest.NewTLSServer(nil)
	defer ts.Close()
	client = ts.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	client.ServerName = "example.com"
	server = ts.TLS.Clone()
	server.NextProtos = nil
	return client, server
})

var portable = network{"tcp, portable driver", true, listenTCP}

func listenTCP(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) }
}

var inMemory = network{"memory", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	l := memnet.Listen()
	return l, l.Dial
}}

// site is a server under test, reached through its transport.
type site struct {
	srv  *Server
	conn func() (net.Conn, error)
	http *http.Server
}

// serve runs a server whose sockets are handled by h until the test ends.
func (n network) serve(t testing.TB, opts Options, h func(*Socket) error) *site {
	opts.DisablePolling = n.portable
	srv := NewServer(opts)
	return n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) { srv.Upgrade(w, r, h) })
}

// accepting serves upgrades that f opens or refuses; none is refused before.
func (n network) accepting(t testing.TB, srv *Server, f func(*Handshake, http.ResponseWriter, *http.Request)) *site {
	return n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		h, err := srv.Accept(w, r)
		if err != nil {
			t.Error(err)
			return
		}
		f(h, w, r)
	})
}

func (n network) serveHTTP(t testing.TB, srv *Server, h http.HandlerFunc) *site {
	l, conn := n.listen(t)
	st := &site{srv: srv, conn: conn, http: &http.Server{Handler: h}}
	served := make(chan struct{})
	go func() {
		st.http.Serve(l)
		close(served)
	}()
	t.Cleanup(func() {
		st.close()
		<-served
	})
	return st
}

// close ends everything that the site has running.
func (st *site) close() {
	st.http.Close()
	st.srv.Close()
}

// settle ends everything inside a synctest bubble, where time must pass before
// the test does.
func (st *site) settle(peers ...*raw) {
	for _, c := range peers {
		c.conn.Close()
	}
	st.close()
	time.Sleep(5 * time.Second) // fake time: what runs on ticks ends
}

// greeting is a handshake without blemish; lines are further headers.
func greeting(lines ...string) string {
	return "GET /chat HTTP/1.1\r\nHost: server.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
		strings.Join(append(lines, ""), "\r\n") + "\r\n"
}

// raw is a client that writes bits and reads frames, and checks nothing that
// is not asked for.
type raw struct {
	t      testing.TB
	conn   net.Conn
	answer *http.Response
	reader *bufio.Reader
	frames chan frame // closed when the server has ended the connection
}

// frame is a frame as read off the wire.
type frame struct {
	wire.Header
	payload []byte
}

// raw connects and shakes hands.
func (st *site) raw(t testing.TB, lines ...string) *raw {
	t.Helper()
	c := st.request(t, greeting(lines...))
	if c.answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("handshake answered with %s", c.answer.Status)
	}
	return c
}

// request connects, writes bytes, and reads the answer to them and, if it is a
// 101, the frames behind it.
func (st *site) request(t testing.TB, text string) *raw {
	t.Helper()
	c := st.connect(t)
	c.ask(text)
	if c.answer.StatusCode == http.StatusSwitchingProtocols {
		go c.read(c.reader)
	}
	return c
}

// ask writes bytes and reads the answer to them.
func (c *raw) ask(text string) {
	c.t.Helper()
	go io.WriteString(c.conn, text)
	answer, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		c.t.Fatalf("no answer to the handshake: %v", err)
	}
	c.answer = answer
}

// shake shakes hands and reads nothing behind the answer.
func (c *raw) shake(lines ...string) {
	c.t.Helper()
	if c.ask(greeting(lines...)); c.answer.StatusCode != http.StatusSwitchingProtocols {
		c.t.Fatalf("handshake answered with %s", c.answer.Status)
	}
}

// connect opens a connection and says nothing on it.
func (st *site) connect(t testing.TB) *raw {
	t.Helper()
	conn, err := st.conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &raw{t: t, conn: conn, reader: bufio.NewReader(conn), frames: make(chan frame, 1<<12)}
}

func (c *raw) read(r *bufio.Reader) {
	defer close(c.frames)
	for {
		f, err := readFrame(r)
		if err != nil {
			return
		}
		select {
		case c.frames <- f:
		case <-c.t.Context().Done(): // nobody takes it any more
			return
		}
	}
}

func readFrame(r *bufio.Reader) (f frame, err error) {
	var b [wire.MaxHeaderSize]byte
	for n := 1; ; n++ {
		if b[n-1], err = r.ReadByte(); err != nil {
			return f, err
		}
		h, used, err := wire.ParseHeader(b[:n])
		if err != nil {
			return f, err
		}
		if used > 0 {
			f.Header = h
			break
		}
	}
	f.payload = make([]byte, f.Length)
	_, err = io.ReadFull(r, f.payload)
	if f.Masked {
		wire.Mask(f.Mask, 0, f.payload)
	}
	return f, err
}

// write writes, and reports whether the server still took it.
func (c *raw) write(parts ...[]byte) bool {
	for _, p := range parts {
		if _, err := c.conn.Write(p); err != nil {
			return false
		}
	}
	return true
}

// next is the next frame, or ok is false where the connection has ended.
func (c *raw) next() (f frame, ok bool) {
	c.t.Helper()
	select {
	case f, ok = <-c.frames:
	case <-time.After(patience):
		c.t.Fatal("no frame came")
	}
	if ok && f.Masked {
		c.t.Error("the server masked a frame (RFC 6455 5.1)")
	}
	return f, ok
}

// expect reads a frame and compares it.
func (c *raw) expect(op wire.Opcode, payload string) {
	c.t.Helper()
	f, ok := c.next()
	if !ok {
		c.t.Fatalf("connection ended, want a frame of opcode %d", op)
	}
	if f.Op != op || string(f.payload) != payload {
		c.t.Fatalf("frame is %d %.80q, want %d %.80q", f.Op, f.payload, op, payload)
	}
}

// expectClose reads the close frame and the end of the connection after it.
// Frames before it are skipped. A code of 1005 stands for an empty close
// frame, 1006 for none at all.
func (c *raw) expectClose(code StatusCode) (reason string) {
	c.t.Helper()
	got := StatusAbnormalClosure
	for f, ok := c.next(); ok; f, ok = c.next() {
		if got != StatusAbnormalClosure {
			c.t.Errorf("frame of opcode %d after the close frame (RFC 6455 5.5.1)", f.Op)
		}
		if f.Op == wire.OpClose {
			n, text, err := wire.ParseClose(f.payload)
			if err != nil {
				c.t.Errorf("close frame: %v", err)
			}
			got, reason = StatusCode(n), text
			c.hangUp(f.payload)
		}
	}
	if got != code {
		c.t.Errorf("closed with %d %q, want %d", got, reason, code)
	}
	return reason
}

// hangUp answers a close frame and, where the transport can, says that nothing
// more comes.
func (c *raw) hangUp(payload []byte) {
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	c.write(client("1 000 1000", string(payload)))
	if half, ok := c.conn.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// alive proves that the server still serves this socket.
func (c *raw) alive() {
	c.t.Helper()
	if !c.write(client("1 000 1001", "alive?")) {
		c.t.Fatal("connection ended")
	}
	c.expect(wire.OpPong, "alive?")
}

// bits are bytes in the notation of RFC 6455 section 5.2: zeros and ones,
// spaces where they help.
func bits(text string) (b []byte) {
	var n int
	var v byte
	for _, c := range text {
		switch c {
		case '0', '1':
			v = v<<1 | byte(c-'0')
			if n++; n%8 == 0 {
				b, v = append(b, v), 0
			}
		case ' ':
		default:
			panic(fmt.Sprintf("bits: %q", text))
		}
	}
	if n%8 != 0 {
		panic(fmt.Sprintf("bits: %q is not whole bytes", text))
	}
	return b
}

var testKey = [4]byte{0x37, 0xfa, 0x21, 0x3d} // of RFC 6455 section 5.7

// client is a masked frame with the length in its shortest form; first is the
// bits of its first byte: FIN, RSV1-3, opcode.
func client(first, payload string) []byte {
	b := append(bits(first), length(0x80, len(payload))...)
	b = append(b, testKey[:]...)
	body := []byte(payload)
	wire.Mask(testKey, 0, body)
	return append(b, body...)
}

// unmasked is a frame as a server sends it.
func unmasked(first, payload string) []byte {
	b := append(bits(first), length(0, len(payload))...)
	return append(b, payload...)
}

func length(mask byte, n int) []byte {
	switch {
	case n < 126:
		return []byte{mask | byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{mask | 126}, uint16(n))
	}
	return binary.BigEndian.AppendUint64([]byte{mask | 127}, uint64(n))
}

// closePayload is a close frame's code and reason.
func closePayload(code int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(code))) + reason
}

func join(parts ...[]byte) (all []byte) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// wait fails the test when ch stays silent.
func wait[T any](t testing.TB, ch <-chan T, what string) (v T) {
	t.Helper()
	return waitFor(t, ch, patience, what)
}

func waitFor[T any](t testing.TB, ch <-chan T, d time.Duration, what string) (v T) {
	t.Helper()
	select {
	case v = <-ch:
	case <-time.After(d):
		t.Fatalf("%s did not happen", what)
	}
	return v
}

// reset ends the connection with an RST where it is TCP.
func (c *raw) reset() {
	conn := c.conn
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// refusedBy reports the error of a dial as a HandshakeError.
func refusedBy(t testing.TB, err error) *HandshakeError {
	t.Helper()
	var e *HandshakeError
	if !errors.As(err, &e) {
		t.Fatalf("error is %v, want a *HandshakeError", err)
	}
	return e
}

// quiet is a logger for tests of what is logged as an error.
var quiet = slog.New(slog.DiscardHandler)
