// Package nextrushtest tests an App with requests and sockets: in memory, without a port,
// or on a port of the loopback. In memory it works in a testing/synctest bubble, where
// heartbeats and time-outs take no time.
//
//	c := nextrushtest.New(t, app)
//	c.Get("/users/7").WantStatus(200).WantJSON(`{"id": "7"}`)
//	c.With("Authorization", "Bearer "+token).Delete("/users/7").WantStatus(204)
//	s := c.Dial("/echo")
//	s.Send("hi")
//	s.Expect("hi")
package nextrushtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/memnet"
)

// timeout bounds every wait; in a bubble it takes no time.
const timeout = 10 * time.Second

// Client talks to one App. It fails its test for what goes wrong on the way, so it is for
// the goroutine of that test.
type Client struct {
	t      testing.TB
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	http   *http.Client
	header http.Header // of each request and handshake
	host   string
}

// New serves the App in memory until the test ends, and then shuts it down. Its sockets
// are run as with Options.DisablePolling.
func New(t testing.TB, app *nextrush.App) *Client {
	t.Helper()
	listener := memnet.Listen()
	return serve(t, app, listener, listener.DialContext)
}

// Listen is New on a port of the loopback, where sockets are run as in production: on
// Linux by the event loop, unless the App has set Options.DisablePolling. The kernel's
// buffers are as small as it allows, so that a client that does not read is soon felt. It
// does not work in a synctest bubble.
func Listen(t testing.TB, app *nextrush.App) *Client {
	t.Helper()
	listener, err := listen()
	if err != nil {
		t.Fatalf("nextrushtest: %v", err)
	}
	return serve(t, app, listener, func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", listener.Addr().String())
		if err == nil {
			err = conn.(*net.TCPConn).SetReadBuffer(bufferSize)
		}
		return conn, err
	})
}

// EachDriver runs a test twice, as "portable" with New and as "polling" with Listen, each
// with an App of its own.
func EachDriver(t *testing.T, app func() *nextrush.App, test func(t *testing.T, c *Client)) {
	t.Run("portable", func(t *testing.T) { test(t, New(t, app())) })
	t.Run("polling", func(t *testing.T) { test(t, Listen(t, app())) })
}

// bufferSize is what is asked of the kernel for one direction of a connection, in bytes.
const bufferSize = 4 << 10

func serve(t testing.TB, app *nextrush.App, listener net.Listener, dial func(context.Context, string, string) (net.Conn, error)) *Client {
	transport := &http.Transport{DialContext: dial}
	c := &Client{t: t, dial: dial, host: "app.test", header: http.Header{}, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	served := make(chan error, 1)
	go func() { served <- app.Serve(listener) }()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 3*timeout)
		defer cancel()
		err := app.Shutdown(ctx)
		if late := <-served; !errors.Is(late, http.ErrServerClosed) { // of a test that ends before it is served
			err = errors.Join(err, late)
		}
		if err != nil {
			t.Errorf("nextrushtest: shutdown: %v", err)
		}
	})
	return c
}

// With returns a Client that sends a header with each request and handshake, beside those
// that c sends. The value "" takes it away. "Host" is the host that is asked for, which
// is "app.test" otherwise.
func (c *Client) With(name, value string) *Client {
	clone := *c
	clone.header = c.header.Clone()
	switch {
	case strings.EqualFold(name, "Host"):
		clone.host = value
	case value == "":
		clone.header.Del(name)
	default:
		clone.header.Set(name, value)
	}
	return &clone
}

// WithCookies returns a Client that keeps the cookies that it gets, as one browser does,
// and sends them with requests and handshakes. It begins without any. It sends cookies
// with the attribute Secure as well.
func (c *Client) WithCookies() *Client {
	clone, own := *c, *c.http
	own.Jar = newJar()
	clone.http = &own
	return &clone
}

// For returns the Client for a subtest, which then is the one that fails.
func (c *Client) For(t testing.TB) *Client {
	clone := *c
	clone.t = t
	return &clone
}
