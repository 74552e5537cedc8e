// Package origin compares the origins of pages (RFC 6454), for all that decide by
// them: sockets, CORS, and what guards cookies.
package origin

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Origin is an origin in the form in which equal ones are the same (RFC 6454 §4):
// in small letters, with the scheme's port if it names none, and an IPv6 address
// at its shortest. A dot at the end of a host counts, as it does for browsers.
type Origin struct{ Scheme, Host, Port string }

// Parse reads an origin as browsers write it (RFC 6454 §6.2). "null" is none.
func Parse(text string) (o Origin, ok bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme == "" || *u != (url.URL{Scheme: u.Scheme, Host: u.Host}) ||
		strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) {
		return o, false
	}
	o = Origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()}
	if addr, err := netip.ParseAddr(o.Host); err == nil {
		o.Host = addr.String()
	}
	if o.Port == "" {
		o.Port = Port(o.Scheme)
	} else if port, err := strconv.ParseUint(o.Port, 10, 16); err == nil {
		o.Port = strconv.FormatUint(port, 10)
	} else {
		return o, false
	}
	return o, o.Host != "" && !strings.HasSuffix(u.Host, ":")
}

// Same reports whether two texts are the same origin.
func Same(a, b string) bool {
	o, ok := Parse(a)
	p, same := Parse(b)
	return ok && same && o == p
}

// Port is what a scheme means if an address names no port; empty: none.
func Port(scheme string) string {
	switch scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// List is origins that somebody lists, and families of them.
type List []pattern

// pattern is an origin, or, if wild, those whose host is at least one label longer.
type pattern struct {
	Origin
	wild bool
}

// ParseList reads "https://a.example" and "https://*.a.example".
func ParseList(texts []string) (List, error) {
	var l List
	for _, text := range texts {
		plain := strings.Replace(text, "://*.", "://wildcard.", 1)
		o, ok := Parse(plain)
		if !ok || strings.Contains(plain, "*") {
			return nil, fmt.Errorf("%q is no origin; write scheme and host, in ASCII, as in %q, %q or %q",
				text, "https://a.example", "https://*.a.example", "http://localhost:3000")
		}
		p := pattern{Origin: o, wild: plain != text}
		if p.wild {
			p.Host = strings.TrimPrefix(o.Host, "wildcard")
		}
		l = append(l, p)
	}
	return l, nil
}

// Has reports whether an origin is in the list.
func (l List) Has(text string) bool {
	o, ok := Parse(text)
	return ok && slices.ContainsFunc(l, func(p pattern) bool { return p.matches(o) })
}

// ParseTrusted is ParseList for origins whose pages may use their visitors' cookies. It
// says why nobody can trust all, nor pages without an origin.
func ParseTrusted(texts []string) (List, error) {
	for _, text := range texts {
		if text == "*" || text == "null" {
			return nil, fmt.Errorf("%q would let every site act for your users; list the origins", text)
		}
	}
	return ParseList(texts)
}

// Trust is who is trusted: a list, and a function that may know others.
type Trust struct {
	List
	Func func(r *http.Request, origin string) bool // nil: it knows nobody
}

// Has reports whether the origin that a request names is trusted. The function is not
// asked for a text that is not an origin, as "null".
func (t Trust) Has(r *http.Request, text string) bool {
	if t.List.Has(text) {
		return true
	}
	if t.Func == nil {
		return false
	}
	_, ok := Parse(text)
	return ok && t.Func(r, text)
}

func (p pattern) matches(o Origin) bool {
	if !p.wild {
		return p.Origin == o
	}
	label, ok := strings.CutSuffix(o.Host, p.Host)
	return ok && label != "" && p.Scheme == o.Scheme && p.Port == o.Port
}

// CheckSite returns why a request, which is to change something, is not taken for
// one of the server's own pages, whose scheme and host are given, nor of those that are
// trusted. Browsers since 2023 say what they send in Sec-Fetch-Site (Fetch Metadata), older
// ones by the Origin alone, and programs neither.
func CheckSite(h http.Header, scheme, host string, trusted func(origin string) bool) error {
	site, from := h.Get("Sec-Fetch-Site"), h.Get("Origin")
	if site == "same-origin" || site == "none" || site == "" && from == "" || trusted(from) {
		return nil
	}
	if site != "" {
		return fmt.Errorf("its Sec-Fetch-Site is %q and its Origin %q%s", clip(site), clip(from), advice(from))
	}
	o, ok := Parse(from)
	own, _ := Parse(o.Scheme + "://" + host) // behind a proxy that ends TLS our scheme may be another
	switch {
	case !ok || o != own:
		return fmt.Errorf("its Origin is %q, the server's %q%s", clip(from), scheme+"://"+clip(host), advice(from))
	case scheme == "https" && o.Scheme == "http": // who is on the network can forge such a page
		return fmt.Errorf("its Origin is %q, a page without HTTPS", clip(from))
	}
	return nil
}

func advice(from string) string {
	if from == "null" {
		return ", which a page has in a sandboxed frame or with the referrer policy no-referrer"
	}
	return "; to allow it, add it to TrustedOrigins"
}

// clip shortens what a client sent.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
