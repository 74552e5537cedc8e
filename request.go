package nextrush

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/nextrush/nextrush/internal/cookie"
	"github.com/nextrush/nextrush/internal/header"
	"github.com/nextrush/nextrush/internal/query"
)

// Param returns a parameter of the route's path, decoded, or "". That of a
// catch-all is without the slash before it: "*path" of /files/a/b is "a/b". In
// middleware for a prefix, that prefix's parameters come first.
func (c *Context) Param(name string) string {
	if c.extras != nil && c.extras.scope != nil {
		if value, ok := c.extras.scope.Param(name); ok {
			return value
		}
	}
	if i := slices.Index(c.paramNames(), name); i >= 0 {
		return c.params.At(i)
	}
	return ""
}

// Query returns the first value of a query parameter, or, if there is none, the fallback
// or "". Parameters end at "&" alone, and a "%" that does not begin an escape stays as it
// is (WHATWG URL §5.1). A query with more than 10,000 parameters has none.
func (c *Context) Query(name string, fallback ...string) string {
	return first(c.Queries()[name], fallback)
}

// first is the first of the values, of the fallback if there are none, or "".
func first(values, fallback []string) string {
	switch {
	case len(values) > 0:
		return values[0]
	case len(fallback) > 0:
		return fallback[0]
	}
	return ""
}

// Queries returns all query parameters. The map is the Context's own.
func (c *Context) Queries() url.Values {
	e := c.needExtras()
	if e.query == nil {
		e.query, _ = query.Parse(c.req.URL.RawQuery)
	}
	return e.query
}

// Header returns a header of the request, or "".
func (c *Context) Header(name string) string {
	if f := c.fields; f != nil {
		return f.Get(http.CanonicalHeaderKey(name))
	}
	return c.req.Header.Get(name)
}

// Cookie returns the value of a cookie, the first one of that name, or "". To check a
// value, check all of Cookies.
func (c *Context) Cookie(name string) string {
	cookie, err := c.Request().Cookie(name)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Cookies returns the values of all cookies of that name, at most 50. A browser sends
// several if they were set for different paths or domains, and their order does not
// tell which one counts (RFC 6265 §4.2.2). It keeps 50 for a whole domain (§6.1).
func (c *Context) Cookies(name string) []string {
	var values []string
	for _, cookie := range c.Request().CookiesNamed(name) {
		values = append(values, cookie.Value)
	}
	return values[:min(len(values), maxCookies)]
}

const maxCookies = 50

// SignedCookies makes cookies whose values clients can read but not change. It does not
// keep them from sending an old one again: put a time into a value that must not last.
// It is safe from any goroutine.
type SignedCookies struct{ signer cookie.Signer }

// NewSignedCookies signs with the first of the secrets (HMAC-SHA-256) and takes what any
// of them has signed: to change the secret, put a new one first. Each has at least 32
// random bytes; NewSignedCookies panics on a shorter one, and without any.
func NewSignedCookies(secrets ...[]byte) *SignedCookies {
	signer, err := cookie.NewSigner(secrets)
	if err != nil {
		panic("nextrush: NewSignedCookies: " + err.Error())
	}
	return &SignedCookies{signer}
}

// Set adds a cookie as [Context.SetCookie] does, with its value and name signed. The value
// may have any bytes. A cookie that browsers would not keep is an error, as one of more
// than 4096 bytes (RFC 6265bis §5.6).
func (s *SignedCookies) Set(c *Context, ck *http.Cookie) error {
	signed, err := s.signer.Sign(ck)
	if err != nil {
		return fmt.Errorf("nextrush: the cookie %q: %w", ck.Name, err)
	}
	c.SetCookie(signed)
	return nil
}

// Get returns the value of the first cookie of that name that was signed for it. A cookie
// that was changed counts as none.
func (s *SignedCookies) Get(c *Context, name string) (value string, ok bool) {
	return s.signer.Open(name, c.Cookies(name))
}

// Host is the host that the client asked for, with its port: from a trusted proxy
// the first of X-Forwarded-Host.
func (c *Context) Host() string {
	_, host := c.app.proxies.Origin(c.passedOn())
	return host
}

// Hostname is Host without its port.
func (c *Context) Hostname() string { return (&url.URL{Host: c.Host()}).Hostname() }

// Scheme is "https" or "http": from a trusted proxy as X-Forwarded-Proto says.
func (c *Context) Scheme() string {
	scheme, _ := c.app.proxies.Origin(c.passedOn())
	return scheme
}

// Secure reports whether the client uses HTTPS.
func (c *Context) Secure() bool { return c.Scheme() == "https" }

// IP is the client's address without port: the peer's, or, if that is a
// trusted proxy, the last one in X-Forwarded-For that is not.
func (c *Context) IP() string { return c.app.proxies.Client(c.passedOn()) }

// passedOn is the request for those whom only a trusted proxy can tell more by its header.
func (c *Context) passedOn() *http.Request {
	if c.app.proxies.Trusts(c.req) {
		return c.Request()
	}
	return c.req
}

// Path is the path of the request, decoded.
func (c *Context) Path() string { return c.req.URL.Path }

// Method is the method of the request.
func (c *Context) Method() string { return c.req.Method }

// UserAgent is the header of that name.
func (c *Context) UserAgent() string { return c.Header("User-Agent") }

// Is reports whether the body has that media type: "application/json", "text/*",
// or short "json", which "application/problem+json" is too.
func (c *Context) Is(mediaType string) bool { return header.IsType(c.mediaType(), mediaType) }

// mediaType is the Content-Type in lower case without its parameters, or "".
func (c *Context) mediaType() string { return header.MediaType(c.Header("Content-Type")) }

// Accepts returns the one of the types that the client prefers, by the Accept
// header (RFC 9110 §12.5.1), or "" when it takes none. Among equals the first
// given wins. A type is a media type or a file extension: "json".
func (c *Context) Accepts(types ...string) string {
	return header.Accept(c.Request().Header["Accept"], types)
}

// AcceptsEncoding returns the one of the content codings, "zstd" or "gzip" say,
// that the client prefers by its Accept-Encoding (RFC 9110 §12.5.3), the first of
// them among equals. It is empty if the client takes none of them, or prefers the
// content without a coding.
func (c *Context) AcceptsEncoding(codings ...string) string {
	return header.AcceptEncoding(c.Request().Header["Accept-Encoding"], codings)
}

// AcceptsLanguage returns the one of the languages, "en" or "pt-BR" say, that the
// client prefers by its Accept-Language (RFC 9110 §12.5.4), the first of them among
// equals and if the client has no preference. A client that wants "de-AT" takes
// "de". It is empty if the client takes none of them.
func (c *Context) AcceptsLanguage(languages ...string) string {
	return header.AcceptLanguage(c.Request().Header["Accept-Language"], languages)
}
