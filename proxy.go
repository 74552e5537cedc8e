package nextrush

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

func parseProxies(list []string) []netip.Prefix {
	var prefixes []netip.Prefix
	for _, s := range list {
		if addr, err := netip.ParseAddr(s); err == nil {
			addr = addr.Unmap()
			prefixes = append(prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			panic(fmt.Sprintf("nextrush: TrustedProxies: %q is neither an address nor a CIDR block such as 10.0.0.0/8", s))
		}
		prefixes = append(prefixes, p.Masked())
	}
	return prefixes
}

func (a *App) trusts(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(a.trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// peerTrusted reports whether the request comes straight from a trusted proxy.
func (a *App) peerTrusted(r *http.Request) bool {
	if len(a.trusted) == 0 {
		return false
	}
	addr, err := netip.ParseAddr(peer(r))
	return err == nil && a.trusts(addr)
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// clientIP walks X-Forwarded-For from the right, where our own proxies write,
// to the first address that is none of theirs. What is no address ends the walk,
// for what is left of it may be invented.
func (a *App) clientIP(r *http.Request) string {
	client := peer(r)
	if !a.peerTrusted(r) {
		return client
	}
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		addr, ok := parseHop(strings.TrimSpace(hops[i]))
		if !ok {
			return client
		}
		client = addr.String()
		if !a.trusts(addr) {
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

type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

// forwarded is the origin that the client sent the request to.
func (a *App) forwarded(r *http.Request) origin {
	o := origin{"http", r.Host}
	if r.TLS != nil {
		o.scheme = "https"
	}
	if !a.peerTrusted(r) {
		return o
	}
	switch proto := firstValue(r.Header["X-Forwarded-Proto"]); proto {
	case "http", "https":
		o.scheme = proto
	case "ws", "wss":
		o.scheme = "http" + proto[2:]
	}
	if host := firstValue(r.Header["X-Forwarded-Host"]); validHost(host) {
		o.host = host
	}
	return o
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
