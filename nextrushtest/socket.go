package nextrushtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"net/url"
	"sync"
	"testing"

	"github.com/nextrush/nextrush/websocket"
)

// Socket is a client socket of a test.
type Socket struct {
	*websocket.Socket
	t    testing.TB
	conn *heldConn

	mu     sync.Mutex          // guards unread
	unread []websocket.Message // that came before a reply
}

// Dial opens a socket, with the header and cookies of the Client. It fails the test if the handshake is refused; use DialError to
// test that.
func (c *Client) Dial(path string, opts ...*websocket.DialOptions) *Socket {
	c.t.Helper()
	s, err := c.handshake(path, opts)
	var refused *websocket.HandshakeError
	if errors.As(err, &refused) {
		c.t.Fatalf("nextrushtest: dial %s: %v\n%s", path, err, refused.Body)
	}
	if err != nil {
		c.t.Fatalf("nextrushtest: dial %s: %v", path, err)
	}
	return s
}

// DialError returns the refusal of a handshake. It fails the test if the handshake is
// not refused.
func (c *Client) DialError(path string, opts ...*websocket.DialOptions) *websocket.HandshakeError {
	c.t.Helper()
	_, err := c.handshake(path, opts)
	var refused *websocket.HandshakeError
	if !errors.As(err, &refused) {
		c.t.Fatalf("nextrushtest: dial %s: got %v, want a refusal", path, err)
	}
	return refused
}

func (c *Client) handshake(path string, opts []*websocket.DialOptions) (*Socket, error) {
	var o websocket.DialOptions
	if len(opts) > 0 && opts[0] != nil {
		o = *opts[0]
	}
	o.Header = c.handshakeHeader(path, o.Header)
	o.Options.HandshakeTimeout = cmp.Or(o.Options.HandshakeTimeout, timeout)
	out := &Socket{t: c.t}
	o.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := c.dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		out.conn = newHeldConn(conn)
		return out.conn, nil
	}
	s, err := websocket.Dial(context.Background(), "ws://"+c.host+path, &o)
	if err != nil {
		return nil, err
	}
	out.Socket = s
	c.t.Cleanup(func() {
		out.Release()
		s.Close(websocket.StatusNormalClosure, "")
	})
	return out, nil
}

// handshakeHeader is the header of a socket's own, with the Client's header and cookies.
func (c *Client) handshakeHeader(path string, own http.Header) http.Header {
	h := c.header.Clone()
	maps.Copy(h, own)
	u, err := url.Parse("http://" + c.host + path)
	if c.http.Jar == nil || err != nil {
		return h
	}
	r := &http.Request{Header: h}
	for _, cookie := range c.http.Jar.Cookies(u) {
		r.AddCookie(cookie)
	}
	return h
}

// Receive is that of websocket.Socket.
func (s *Socket) Receive(ctx context.Context) (websocket.Message, error) {
	if m, ok := s.takeUnread(); ok {
		return m, nil
	}
	return s.Socket.Receive(ctx)
}

func (s *Socket) takeUnread() (m websocket.Message, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.unread) == 0 {
		return m, false
	}
	m, s.unread = s.unread[0], s.unread[1:]
	return m, true
}

// Request is that of websocket.Socket. Messages that come before the reply are read as
// well, and kept for Next, Receive and what expects.
func (s *Socket) Request(ctx context.Context, event string, args ...any) (*websocket.Event, error) {
	reading, stop := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() { s.keepUnread(reading) })
	defer done.Wait()
	defer stop()
	return s.Socket.Request(ctx, event, args...)
}

func (s *Socket) keepUnread(ctx context.Context) {
	for {
		m, err := s.Socket.Receive(ctx)
		if err != nil {
			return
		}
		s.mu.Lock()
		s.unread = append(s.unread, m)
		s.mu.Unlock()
	}
}

// Next returns the next message. It fails the test if none arrives within 10 seconds.
func (s *Socket) Next() websocket.Message {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m, err := s.Receive(ctx)
	if err != nil {
		s.t.Fatalf("nextrushtest: receive: %v", err)
	}
	return m
}

// Expect fails the test if the next message is not want, a string, a []byte, or a value
// that is compared as JSON.
func (s *Socket) Expect(want any) {
	s.t.Helper()
	m := s.Next()
	switch want := want.(type) {
	case string:
		if m.Text() != want {
			s.t.Errorf("got message %q, want %q", m.Text(), want)
		}
	case []byte:
		if !bytes.Equal(m.Bytes(), want) {
			s.t.Errorf("got message %x, want %x", m.Bytes(), want)
		}
	default:
		if err := sameJSON(m.Bytes(), want); err != nil {
			s.t.Error(err)
		}
	}
}

// ExpectEvent fails the test if the next message is not an event of that name. It decodes
// the first argument into v, unless v is nil, and returns the event for others.
func (s *Socket) ExpectEvent(name string, v any) *websocket.Event {
	s.t.Helper()
	m := s.Next()
	e, ok := m.Event()
	if !ok || e.Name != name {
		s.t.Fatalf("got message %q, want the event %q", m.Text(), name)
	}
	if v == nil {
		return e
	}
	if err := e.Bind(0, v); err != nil {
		s.t.Fatalf("event %q: %v", name, err)
	}
	return e
}

// ExpectClose fails the test if the server does not end the socket with the code: what is
// read first may be no message.
func (s *Socket) ExpectClose(code websocket.StatusCode) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	m, err := s.Receive(ctx)
	var closed *websocket.CloseError
	switch {
	case err == nil:
		s.t.Errorf("got message %q, want the socket closed with %d", m.Bytes(), code)
	case !errors.As(err, &closed):
		s.t.Errorf("got %v, want the socket closed with %d", err, code)
	case closed.Code != code:
		s.t.Errorf("the socket is closed with %d %q, want %d", closed.Code, closed.Reason, code)
	}
}

// Hold stops the reading of the socket, until Release: nothing arrives, pings are not
// answered, and what the server sends waits there once the buffers on the way are full.
// In memory these are one read; with Listen they are a few KiB in the kernel.
func (s *Socket) Hold() { s.conn.hold(true) }

// Release has the socket read again.
func (s *Socket) Release() { s.conn.hold(false) }

// Disconnect cuts the connection without a close handshake.
func (s *Socket) Disconnect() { s.conn.Close() }
