package middleware

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nextrush/nextrush"
)

const switchTimeout = 10 * time.Second // for a client to take the 101

// opensWebSocket applies RFC 6455 §4.2.1. Any other upgrade would be a tunnel past
// all guards: what goes through it are no requests of ours any more.
func opensWebSocket(r *http.Request) bool {
	h := r.Header
	version, key := h["Sec-Websocket-Version"], h["Sec-Websocket-Key"]
	return r.Method == http.MethodGet && r.ProtoMajor == 1 && r.ProtoMinor > 0 &&
		r.ContentLength == 0 && len(r.TransferEncoding) == 0 &&
		switchesToWebSocket(h) && len(version) == 1 && version[0] == "13" && len(key) == 1 && validKey(key[0])
}

// switchesToWebSocket reports that a header switches to that protocol and no other.
func switchesToWebSocket(h http.Header) bool {
	named := slices.ContainsFunc(connectionOptions(h), func(s string) bool { return sameToken(s, "upgrade") })
	return named && len(h["Upgrade"]) == 1 && sameToken(h["Upgrade"][0], "websocket")
}

func connectionOptions(h http.Header) []string {
	options := strings.Split(strings.Join(h["Connection"], ","), ",")
	for i, option := range options {
		options[i] = strings.Trim(option, " \t")
	}
	return options
}

// sameToken is strings.EqualFold without the two letters outside ASCII that have
// one in it.
func sameToken(a, b string) bool { return len(a) == len(b) && strings.EqualFold(a, b) }

func validKey(key string) bool {
	nonce, err := base64.StdEncoding.DecodeString(key)
	return err == nil && len(nonce) == 16 && len(key) == 24
}

// withoutUpgrade hides the upgrade from package httputil, which would pass on any.
func withoutUpgrade(r *http.Request) *http.Request {
	if r.Header["Upgrade"] == nil {
		return r
	}
	r = r.Clone(r.Context())
	r.Header.Del("Upgrade")
	return r
}

// errTunnelled ends httputil's part of a request that has become a tunnel.
var errTunnelled = errors.New("middleware: ReverseProxy: the connection is a WebSocket")

// tunnel answers with the target's 101 and leaves the two connections to a tunnel.
func (p *proxy) tunnel(c *nextrush.Context, r *http.Response, asked bool) (err error) {
	body := r.Body
	defer func() {
		if err != errTunnelled {
			body.Close()
		}
	}()
	if !asked || !switchesToWebSocket(r.Header) {
		return fmt.Errorf("the target has switched to %q, which nobody asked for", r.Header["Upgrade"])
	}
	dropHops(r.Header)
	r.Header.Set("Connection", "Upgrade")
	r.Header.Set("Upgrade", "websocket")
	if err := p.modify(c, r); err != nil {
		return err
	}
	target, ok := r.Body.(io.ReadWriteCloser)
	if !ok || r.StatusCode != http.StatusSwitchingProtocols {
		return errors.New("ModifyResponse has replaced the connection or the status of a 101: leave it alone")
	}
	client, closing, err := c.Hijack()
	if err != nil {
		return err
	}
	r.Body = http.NoBody // for httputil to close
	t := newTunnel(client, target, c.App().Log())
	if switchProtocols(client, c.Writer().Header(), r.Header) != nil {
		t.close() // the client has gone
		return errTunnelled
	}
	go t.run(closing)
	return errTunnelled
}

// hopFields are of one connection, though Connection need not name them: RFC 9110
// §7.6.1, and what httputil drops with them.
var hopFields = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
	"Proxy-Authenticate", "Proxy-Authorization",
}

func dropHops(h http.Header) {
	for _, name := range slices.Concat(connectionOptions(h), hopFields) {
		h.Del(name)
	}
}

// switchProtocols writes a 101. It has no body, and no length of one (RFC 9110 §8.6).
func switchProtocols(conn net.Conn, headers ...http.Header) error {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\n")
	for _, h := range headers {
		h.WriteSubset(&b, map[string]bool{"Content-Length": true})
	}
	b.WriteString("\r\n")
	conn.SetWriteDeadline(time.Now().Add(switchTimeout))
	defer conn.SetWriteDeadline(time.Time{})
	_, err := conn.Write(b.Bytes())
	return err
}
