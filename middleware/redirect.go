package middleware

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// HTTPSRedirectOptions configures HTTPSRedirect. The zero value is complete.
type HTTPSRedirectOptions struct {
	Port int // of HTTPS; 0: 443
}

// HTTPSRedirect sends clients that do not use HTTPS to the same URL with it, by
// 308, which keeps the method. Behind a proxy it needs Options.TrustedProxies, or
// it redirects for ever. The host is the client's own: HostFilter before it keeps
// foreign ones out of caches. It panics if Port is not a port.
func HTTPSRedirect(opts ...HTTPSRedirectOptions) nextrush.Handler {
	port := ""
	if o := opt.First(opts); o.Port != 0 && o.Port != 443 {
		if o.Port < 0 || o.Port > 65535 {
			panic("middleware: HTTPSRedirect: Port: give one of 1 to 65535, or leave it out for 443")
		}
		port = strconv.Itoa(o.Port)
	}
	return func(c *nextrush.Context) error {
		if c.Secure() {
			return c.Next()
		}
		name, _, ok := splitHost(c.Host())
		if !ok {
			return nextrush.NewError(http.StatusBadRequest, "the host is missing or malformed")
		}
		return redirectHost(c, "https", joinHost(name, port))
	}
}

// WWWRedirect sends clients from "a.example" to "www.a.example" by 308; from IP
// addresses and names of one label it does not.
func WWWRedirect() nextrush.Handler {
	return func(c *nextrush.Context) error {
		name, port, ok := splitHost(c.Host())
		if !ok || strings.HasPrefix(name, "www.") || !isDomain(name) {
			return c.Next()
		}
		return redirectHost(c, c.Scheme(), joinHost("www."+name, port))
	}
}

// NonWWWRedirect sends clients from "www.a.example" to "a.example" by 308.
func NonWWWRedirect() nextrush.Handler {
	return func(c *nextrush.Context) error {
		name, port, ok := splitHost(c.Host())
		bare, www := strings.CutPrefix(name, "www.")
		if !ok || !www || !isDomain(bare) {
			return c.Next()
		}
		return redirectHost(c, c.Scheme(), joinHost(bare, port))
	}
}

func isDomain(name string) bool {
	_, err := netip.ParseAddr(name)
	return err != nil && strings.Contains(name, ".")
}

// redirectHost redirects to the same path and query. The path begins with
// exactly one slash, so that nothing of it can be taken for a part of the host.
func redirectHost(c *nextrush.Context, scheme, host string) error {
	u := c.Request().URL
	to := scheme + "://" + host + "/" + strings.TrimLeft(u.EscapedPath(), "/")
	if u.RawQuery != "" {
		to += "?" + u.RawQuery
	}
	return c.Redirect(to, http.StatusPermanentRedirect)
}
