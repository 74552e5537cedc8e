// Package nextrushtest tests an App in memory, with requests and sockets but without a
// port. It works in a testing/synctest bubble, where heartbeats and time-outs take no
// time.
//
//	c := nextrushtest.New(t, app)
//	c.Get("/users/7").WantStatus(200)
//	s := c.Dial("/echo")
//	s.Send("hi")
//	s.Expect("Echo: hi")
package nextrushtest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/memnet"
	"github.com/nextrush/nextrush/websocket"
)

// timeout bounds every wait; in a bubble it takes no time.
const timeout = 10 * time.Second

// Client talks to one App.
type Client struct {
	t        testing.TB
	listener *memnet.Listener
	http     *http.Client
}

// New serves the App in memory until the test ends, and then shuts it down.
func New(t testing.TB, app *nextrush.App) *Client {
	t.Helper()
	listener := memnet.Listen()
	transport := &http.Transport{DialContext: listener.DialContext}
	c := &Client{t: t, listener: listener, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	served := make(chan error, 1)
	go func() { served <- app.Serve(listener) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		if err := errors.Join(app.Shutdown(ctx), <-served); err != nil {
			t.Errorf("nextrushtest: shutdown: %v", err)
		}
	})
	return c
}

// Get sends a GET request.
func (c *Client) Get(path string) *Response {
	c.t.Helper()
	return c.Do(c.request(http.MethodGet, path, nil))
}

// Post sends a POST request. A body that is a string is sent as a form, any other as
// JSON.
func (c *Client) Post(path string, body any) *Response {
	c.t.Helper()
	form, ok := body.(string)
	if ok {
		r := c.request(http.MethodPost, path, strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return c.Do(r)
	}
	data, err := json.Marshal(body)
	if err != nil {
		c.t.Fatalf("nextrushtest: Post: %v", err)
	}
	r := c.request(http.MethodPost, path, bytes.NewReader(data))
	r.Header.Set("Content-Type", "application/json")
	return c.Do(r)
}

func (c *Client) request(method, path string, body io.Reader) *http.Request {
	c.t.Helper()
	r, err := http.NewRequest(method, path, body)
	if err != nil {
		c.t.Fatalf("nextrushtest: %v", err)
	}
	return r
}

// Do sends a request; its URL may be a path. Redirects are not followed.
func (c *Client) Do(r *http.Request) *Response {
	c.t.Helper()
	if r.URL.Host == "" {
		r.URL.Scheme, r.URL.Host = "http", "app.test"
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatalf("nextrushtest: %s %s: %v", r.Method, r.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatalf("nextrushtest: %s %s: %v", r.Method, r.URL.Path, err)
	}
	return &Response{Response: resp, Body: body, t: c.t}
}

// Response is a response with its whole body.
type Response struct {
	*http.Response
	Body []byte
	t    testing.TB
}

// Text returns the body as a string.
func (r *Response) Text() string { return string(r.Body) }

// JSON decodes the body.
func (r *Response) JSON(v any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		r.t.Fatalf("nextrushtest: body %q: %v", r.Body, err)
	}
}

// WantStatus fails the test if the status is not the one given.
func (r *Response) WantStatus(status int) *Response {
	r.t.Helper()
	if r.StatusCode != status {
		r.t.Errorf("got status %d, want %d; body %q", r.StatusCode, status, r.Body)
	}
	return r
}

// Socket is a client socket of a test.
type Socket struct {
	*websocket.Socket
	t    testing.TB
	conn net.Conn
}

// Dial opens a socket. It fails the test if the handshake is refused; use DialError to
// test that.
func (c *Client) Dial(path string, opts ...*websocket.DialOptions) *Socket {
	c.t.Helper()
	s, err := c.dial(path, opts)
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
	_, err := c.dial(path, opts)
	var refused *websocket.HandshakeError
	if !errors.As(err, &refused) {
		c.t.Fatalf("nextrushtest: dial %s: got %v, want a refusal", path, err)
	}
	return refused
}

func (c *Client) dial(path string, opts []*websocket.DialOptions) (*Socket, error) {
	var o websocket.DialOptions
	if len(opts) > 0 && opts[0] != nil {
		o = *opts[0]
	}
	out := &Socket{t: c.t}
	o.NetDial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := c.listener.DialContext(ctx, network, address)
		out.conn = conn
		return conn, err
	}
	s, err := websocket.Dial(context.Background(), "ws://app.test"+path, &o)
	if err != nil {
		return nil, err
	}
	out.Socket = s
	c.t.Cleanup(func() { s.Close(websocket.StatusNormalClosure, "") })
	return out, nil
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

func sameJSON(got []byte, want any) error {
	text, err := json.Marshal(want)
	if err != nil {
		return err
	}
	var x, y any
	if err := json.Unmarshal(got, &x); err != nil {
		return fmt.Errorf("got message %q: %w", got, err)
	}
	if err := json.Unmarshal(text, &y); err != nil {
		return err
	}
	if !reflect.DeepEqual(x, y) {
		return fmt.Errorf("got message %s, want %s", got, text)
	}
	return nil
}

// ExpectEvent fails the test if the next message is not an event of that name. It decodes
// the first argument into v, unless v is nil.
func (s *Socket) ExpectEvent(name string, v any) {
	s.t.Helper()
	m := s.Next()
	var event struct {
		Type  string            `json:"type"`
		Event string            `json:"event"`
		Data  []json.RawMessage `json:"data"`
	}
	if err := m.JSON(&event); err != nil || event.Type != "event" || event.Event != name {
		s.t.Fatalf("got message %q, want the event %q", m.Text(), name)
	}
	if v == nil {
		return
	}
	if len(event.Data) == 0 {
		s.t.Fatalf("event %q has no argument", name)
	}
	if err := json.Unmarshal(event.Data[0], v); err != nil {
		s.t.Fatalf("event %q: %v", name, err)
	}
}

// Disconnect cuts the connection without a close handshake.
func (s *Socket) Disconnect() { s.conn.Close() }
