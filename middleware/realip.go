package middleware

import (
	"crypto/tls"
	"net"

	"github.com/nextrush/nextrush"
)

// RealIP shows handlers of net/http that stand behind a trusted proxy what
// Context.IP, Host and Scheme know of the client: in Request.RemoteAddr, with
// port 0, in Request.Host, and in Request.TLS, which is empty but not nil if
// the client uses HTTPS. NextRush's own handlers do not need it. Whom to trust
// is Options.TrustedProxies; without any it changes nothing.
func RealIP() nextrush.Handler {
	return func(c *nextrush.Context) error {
		r := c.Request()
		ip := c.IP()
		if peer, _, err := net.SplitHostPort(r.RemoteAddr); err != nil || peer == ip {
			return c.Next()
		}
		host, secure := c.Host(), c.Secure()
		r = r.WithContext(r.Context())
		r.RemoteAddr, r.Host = net.JoinHostPort(ip, "0"), host
		switch {
		case !secure:
			r.TLS = nil
		case r.TLS == nil:
			r.TLS = new(tls.ConnectionState)
		}
		c.SetRequest(r)
		return c.Next()
	}
}
