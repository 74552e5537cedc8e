// Package clientip tells whose a request is: the peer's, or, behind proxies that are
// trusted, whose they say it is.
package clientip

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// Peer is the address that a request came from, without its port.
func Peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Proxies are those that are trusted to say for whom they pass on a request.
type Proxies struct{ Blocks }

// trust reports whether a request comes straight from one of the proxies.
func (p Proxies) trust(r *http.Request) bool { return len(p.Blocks) > 0 && p.Have(Peer(r)) }

// Client walks X-Forwarded-For from the right, where our own proxies write, to the
// first address that is not one of theirs. A text that is not an address ends the walk,
// for what is left of it may be invented.
func (p Proxies) Client(r *http.Request) string {
	client := Peer(r)
	if !p.trust(r) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			return client
		}
		client = addr.String()
		if !p.have(addr) {
			return client
		}
	}
	return client
}

// parseHop reads "192.0.2.1", "192.0.2.1:80", "2001:db8::1" and "[2001:db8::1]:80".
func parseHop(s string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		var ap netip.AddrPort
		ap, err = netip.ParseAddrPort(s)
		addr = ap.Addr()
	}
	return addr.Unmap().WithZone(""), err == nil
}

// Origin is the scheme, http or https, and the host that the client sent a request to,
// by X-Forwarded-Proto and X-Forwarded-Host.
func (p Proxies) Origin(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if !p.trust(r) {
		return scheme, host
	}
	switch proto := firstValue(r.Header["X-Forwarded-Proto"]); proto {
	case "http", "https":
		scheme = proto
	case "ws", "wss":
		scheme = "http" + proto[2:]
	}
	if forwarded := firstValue(r.Header["X-Forwarded-Host"]); validHost(forwarded) {
		host = forwarded
	}
	return scheme, host
}

func firstValue(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	v, _, _ := strings.Cut(lines[0], ",")
	return strings.ToLower(strings.TrimSpace(v))
}

// validHost refuses what could break out of a URL.
func validHost(h string) bool {
	return h != "" && !strings.ContainsFunc(h, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._:[]", r))
	})
}
