package middleware

import (
	"crypto/rand"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

const (
	defaultCSP = "default-src 'self'; script-src 'self' {nonce}; style-src 'self' {nonce}; img-src 'self' data:; " +
		"object-src 'none'; base-uri 'none'; form-action 'self'"
	defaultPermissions = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

	cspKey   = "middleware.csp"
	nonceKey = "middleware.nonce"
)

// SecureHeadersOptions configures SecureHeaders. Each field is the value of the
// header of that name; empty: the default that it gives, "-": no such header.
type SecureHeadersOptions struct {
	// ContentSecurityPolicy has {nonce} where the nonce of CSPNonce is let in.
	// Empty: this origin's scripts, styles, images, frames and connections, data:
	// images, and what has the nonce; no plugins, no <base>.
	ContentSecurityPolicy string
	CSPReportOnly         bool // violations are reported and not prevented

	// FrameAncestors says who may show pages in a frame, as in the policy's
	// frame-ancestors: "'self'", "https://a.example". Empty: "'none'", nobody.
	// X-Frame-Options says the same to old browsers if it can.
	FrameAncestors string

	StrictTransportSecurity   string // empty: "max-age=31536000"; sent over HTTPS only (RFC 6797 §7.2)
	ReferrerPolicy            string // empty: "strict-origin-when-cross-origin"
	PermissionsPolicy         string // empty: no camera, geolocation, microphone, payment, usb
	CrossOriginOpenerPolicy   string // empty: "same-origin"
	CrossOriginResourcePolicy string // empty: "same-origin"
	CrossOriginEmbedderPolicy string // empty: none
}

// SecureHeaders sets the headers that have browsers refuse what attackers need.
// Handlers may set others. The defaults follow the OWASP HTTP Headers Cheat Sheet.
// X-Content-Type-Options: nosniff is always sent.
func SecureHeaders(opts ...SecureHeadersOptions) nextrush.Handler {
	o := opt.First(opts)
	policy := o.policy()
	hasNonce := strings.Contains(policy.text, "{nonce}")
	fixed := o.headers(policy)
	hsts := headerValue(o.StrictTransportSecurity, "max-age=31536000")
	return func(c *nextrush.Context) error {
		h := c.Writer().Header()
		for _, f := range fixed {
			h[f.name] = f.values
		}
		if hsts != nil && c.Secure() {
			h["Strict-Transport-Security"] = hsts
		}
		if hasNonce {
			c.Set(cspKey, policy)
		}
		return c.Next()
	}
}

// fixedHeader is the same in every response. Its slice has no room to append to,
// so that the responses can share it.
type fixedHeader struct {
	name   string // in canonical form
	values []string
}

func (o *SecureHeadersOptions) headers(policy *csp) (fixed []fixedHeader) {
	add := func(name, value, fallback string) {
		if values := headerValue(value, fallback); values != nil {
			fixed = append(fixed, fixedHeader{name, values})
		}
	}
	add("X-Content-Type-Options", "nosniff", "")
	add("Referrer-Policy", o.ReferrerPolicy, "strict-origin-when-cross-origin")
	add("Permissions-Policy", o.PermissionsPolicy, defaultPermissions)
	add("Cross-Origin-Opener-Policy", o.CrossOriginOpenerPolicy, "same-origin")
	add("Cross-Origin-Resource-Policy", o.CrossOriginResourcePolicy, "same-origin")
	add("Cross-Origin-Embedder-Policy", o.CrossOriginEmbedderPolicy, "-")
	switch o.FrameAncestors {
	case "", "'none'":
		add("X-Frame-Options", "DENY", "")
	case "'self'":
		add("X-Frame-Options", "SAMEORIGIN", "")
	}
	add(policy.header, policy.with(""), "-")
	return fixed
}

func headerValue(value, fallback string) []string {
	if value == "" {
		value = fallback
	}
	if value == "-" {
		return nil
	}
	if strings.ContainsAny(value, "\r\n\x00") {
		panic("middleware: SecureHeaders: a value has a line break: write it on one line")
	}
	return []string{value}
}

// csp is a Content Security Policy that still has {nonce} in it.
type csp struct{ header, text string }

func (o *SecureHeadersOptions) policy() *csp {
	p := &csp{"Content-Security-Policy", o.ContentSecurityPolicy}
	if o.CSPReportOnly {
		p.header += "-Report-Only"
	}
	if strings.Contains(p.text, "frame-ancestors") {
		panic("middleware: SecureHeaders: set FrameAncestors instead of the policy's frame-ancestors, for X-Frame-Options has to agree")
	}
	directives := headerValue(strings.TrimRight(p.text, "; "), defaultCSP)
	for _, who := range headerValue(o.FrameAncestors, "'none'") {
		directives = append(directives, "frame-ancestors "+who)
	}
	p.text = strings.Join(directives, "; ")
	return p
}

// with is the policy with that nonce, or with none.
func (p *csp) with(nonce string) string {
	if nonce == "" {
		return strings.ReplaceAll(p.text, " {nonce}", "")
	}
	return strings.ReplaceAll(p.text, "{nonce}", "'nonce-"+nonce+"'")
}

// CSPNonce is the nonce, 130 random bits, with which inline scripts and styles
// of this response pass its policy: <script nonce="…">. It is made, and put into
// the header, when it is asked for first, which has to be before the response
// begins. It is empty if SecureHeaders has set no policy with {nonce}. A page with a nonce
// is not for shared caches, and Cache keeps none.
func CSPNonce(c *nextrush.Context) string {
	if nonce, ok := nextrush.Value[string](c, nonceKey); ok {
		return nonce
	}
	policy, ok := nextrush.Value[*csp](c, cspKey)
	if !ok {
		return ""
	}
	nonce := rand.Text()
	c.Set(nonceKey, nonce)
	c.SetHeader(policy.header, policy.with(nonce))
	return nonce
}
