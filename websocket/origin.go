package websocket

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// origins is Options.AllowOrigins, parsed.
type origins struct {
	any      bool
	patterns []originPattern
}

// originPattern is scheme, host and port of an allowed origin; with wild, host
// is the suffix that follows at least one label.
type originPattern struct {
	scheme, host, port string
	wild               bool
}

func parseOrigins(list []string) (o origins, err error) {
	for _, text := range list {
		if text == "*" {
			o.any = true
			continue
		}
		p, err := parsePattern(text)
		if err != nil {
			return o, err
		}
		o.patterns = append(o.patterns, p)
	}
	return o, nil
}

func parsePattern(text string) (originPattern, error) {
	plain := strings.Replace(text, "://*.", "://wildcard.", 1)
	p, ok := parseOrigin(plain)
	if !ok || strings.Contains(plain, "*") {
		return p, fmt.Errorf("websocket: AllowOrigins: %q is no origin; write scheme and host, as in %q, %q or %q",
			text, "https://a.example", "https://*.a.example", "http://localhost:3000")
	}
	if plain != text {
		p.wild = true
		p.host = strings.TrimPrefix(p.host, "wildcard")
	}
	return p, nil
}

// parseOrigin splits an origin (RFC 6454 §6.2); the scheme's port is filled in.
func parseOrigin(text string) (p originPattern, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.Opaque != "" || u.ForceQuery {
		return p, false
	}
	p.scheme = strings.ToLower(u.Scheme)
	p.host = strings.ToLower(u.Hostname())
	p.port = u.Port()
	if p.port == "" {
		p.port = defaultPort(p.scheme)
	}
	return p, p.host != "" && p.scheme != "" && !strings.HasSuffix(u.Host, ":")
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

func (p originPattern) matches(o originPattern) bool {
	if p.scheme != o.scheme || p.port != o.port {
		return false
	}
	if p.wild {
		return len(o.host) > len(p.host) && strings.HasSuffix(o.host, p.host)
	}
	return p.host == o.host
}

// allow decides on the Origin headers of a request. None at all comes from no
// browser and is let in.
func (o origins) allow(headers []string, own string) error {
	if len(headers) == 0 || o.any && len(headers) == 1 && headers[0] != "null" {
		return nil
	}
	if len(headers) > 1 {
		return fmt.Errorf("several Origin headers")
	}
	origin, ok := parseOrigin(headers[0])
	if !ok {
		return fmt.Errorf("origin %q is not allowed", clip(headers[0]))
	}
	for _, p := range o.patterns {
		if p.matches(origin) {
			return nil
		}
	}
	if mine, ok := parseOrigin(own); ok && mine == origin {
		return nil
	}
	return fmt.Errorf("origin %q is not allowed; to allow it, add it to AllowOrigins", clip(headers[0]))
}

// clip shortens what a client sent for an error text.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}

// ownOrigin is the origin that a request was sent to.
func ownOrigin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func remoteIP(r *http.Request) string {
	if h, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		return h
	}
	return r.RemoteAddr
}
