package middleware

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
	"github.com/nextrush/nextrush/internal/origin"
)

// CSRFOptions configures CSRF. The zero value refuses what browsers send on
// behalf of other sites; that is enough for browsers since 2023.
type CSRFOptions struct {
	// TrustedOrigins lists others that may send requests, without a token, besides
	// nextrush.Options.TrustedOrigins: "https://a.example", "https://*.a.example".
	TrustedOrigins []string
	// Bypass lists requests that are not checked, as patterns of http.ServeMux, "POST
	// /webhooks/", for the path as the App's routes see it.
	Bypass []string

	// Secret, of at least 32 random bytes and the same in all processes, has forms
	// and scripts send the token of CSRFToken as well; nil: no tokens.
	Secret []byte
	// Session returns what a token is bound to, such as the id of the session; nil:
	// to the browser alone.
	Session func(*nextrush.Context) string
	Field   string // of forms; empty: "csrf_token"
	Header  string // empty: "X-CSRF-Token"
}

type csrf struct {
	trusted origin.List
	bypass  *http.ServeMux // nil: nothing is let through
	tokens  *csrfTokens    // nil: none are asked for
}

// CSRF answers 403, with the code "csrf", to requests that a browser sends
// because another site made it do so: by the headers Sec-Fetch-Site and Origin,
// as [http.CrossOriginProtection] does, and with a Secret by tokens too. The
// message says what did not fit. GET, HEAD and OPTIONS pass, and so must change
// nothing. It panics on a mistake in the options.
func CSRF(opts ...CSRFOptions) nextrush.Handler {
	p := newCSRF(opt.First(opts))
	return func(c *nextrush.Context) error {
		if p.tokens != nil {
			c.Set(csrfKey, &csrfBrowser{tokens: p.tokens})
		}
		if safeMethod(c.Method()) || p.bypasses(c) {
			return c.Next()
		}
		if err := p.check(c); err != nil {
			return err
		}
		return c.Next()
	}
}

func newCSRF(o CSRFOptions) *csrf {
	p := &csrf{tokens: newCSRFTokens(o)}
	var err error
	if p.trusted, err = origin.ParseTrusted(o.TrustedOrigins); err != nil {
		panic("middleware: CSRF: TrustedOrigins: " + err.Error())
	}
	if len(o.Bypass) > 0 {
		p.bypass = http.NewServeMux()
	}
	for _, pattern := range o.Bypass {
		p.bypass.Handle(pattern, p.bypass)
	}
	return p
}

func safeMethod(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// bypasses looks at the path as the App's router does. To that, as to ServeMux, an
// encoded slash belongs to its segment, except in what a catch-all takes.
func (p *csrf) bypasses(c *nextrush.Context) bool {
	if p.bypass == nil {
		return false
	}
	u := c.Request().URL
	return p.matches(c, &url.URL{Path: u.Path, RawPath: u.RawPath}) &&
		(!strings.Contains(c.Route(), "*") || p.matches(c, &url.URL{Path: u.Path}))
}

// matches reports a pattern for the path. What ServeMux would redirect has none.
func (p *csrf) matches(c *nextrush.Context, u *url.URL) bool {
	h, _ := p.bypass.Handler(&http.Request{Method: c.Method(), Host: c.Request().Host, URL: u})
	return h == p.bypass
}

func (p *csrf) check(c *nextrush.Context) error {
	trusts := func(from string) bool { return p.trusted.Has(from) || c.App().TrustsOrigin(c.Request(), from) }
	if err := origin.CheckSite(c.Request().Header, c.Scheme(), c.Host(), trusts); err != nil {
		return forbidden("the request comes from another site: "+err.Error(), nil)
	}
	if p.tokens == nil || trusts(c.Header("Origin")) {
		return nil
	}
	return p.tokens.check(c)
}

func forbidden(message string, cause error) error {
	return nextrush.NewError(http.StatusForbidden, message).WithCode("csrf").WithCause(cause)
}
