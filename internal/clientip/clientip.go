// Package clientip tells whose a request is: the peer's, or, behind proxies that are
// trusted, whose they say it is.
package clientip

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
)

// Peer is the address that a request came from, without its port.
func Peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// Proxies are those that are trusted to say for whom they pass on a request: by their
// addresses, or as many as stand before the server. Its methods are safe from any
// goroutine.
type Proxies struct {
	blocks atomic.Pointer[Blocks] // nil: none
	Hops   int                    // set before use; 0: by the blocks
}

// Set replaces the blocks.
func (p *Proxies) Set(b Blocks) { p.blocks.Store(&b) }

// Trusts reports whether a request comes straight from one of the proxies.
func (p *Proxies) Trusts(r *http.Request) bool {
	if p.Hops > 0 {
		return true
	}
	b := p.blocks.Load()
	return b != nil && len(*b) > 0 && b.Have(Peer(r))
}

// passesOn reports whether the nth address from the right of X-Forwarded-For, from 1, is
// that of one of the proxies.
func (p *Proxies) passesOn(n int, addr netip.Addr) bool {
	if p.Hops > 0 {
		return n < p.Hops // the last one is the server's peer
	}
	b := p.blocks.Load()
	return b != nil && b.have(addr)
}

// Client walks X-Forwarded-For from the right, where our own proxies write, to the
// first address that is not one of theirs. A text that is not an address ends the walk,
// for what is left of it may be invented.
func (p *Proxies) Client(r *http.Request) string {
	client := Peer(r)
	if !p.Trusts(r) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for n := 1; n <= len(hops); n++ {
		addr, ok := parseHop(strings.TrimSpace(hops[len(hops)-n]))
		if !ok {
			return client
		}
		client = addr.String()
		if !p.passesOn(n, addr) {
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
// by X-Forwarded-Proto and X-Forwarded-Host. Cloudflare does not set the latter, and passes
// on what the client has sent: its edge is believed in the former alone.
func (p *Proxies) Origin(r *http.Request) (scheme, host string) {
	scheme, host = "http", r.Host
	if r.TLS != nil {
		scheme = "https"
	}
	if !p.Trusts(r) {
		return scheme, host
	}
	switch proto := p.value(r.Header["X-Forwarded-Proto"]); proto {
	case "http", "https":
		scheme = proto
	case "ws", "wss":
		scheme = "http" + proto[2:]
	}
	if forwarded := p.value(r.Header["X-Forwarded-Host"]); validHost(forwarded) && !presets[cloudflare].Have(Peer(r)) {
		host = forwarded
	}
	return scheme, host
}

// value is what the outermost of the proxies says. Of a list it is the first; by their
// number it is theirs even if they have added to what the client had sent.
func (p *Proxies) value(lines []string) string {
	if len(lines) == 0 {
		return ""
	}
	values := strings.Split(strings.Join(lines, ","), ",")
	first := 0
	if p.Hops > 0 {
		first = max(0, len(values)-p.Hops)
	}
	return strings.ToLower(strings.TrimSpace(values[first]))
}

// validHost refuses what could break out of a URL.
func validHost(h string) bool {
	return h != "" && !strings.ContainsFunc(h, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || strings.ContainsRune("-._:[]", r))
	})
}
