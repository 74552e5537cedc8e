package middleware

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/nextrush/nextrush"
)

// HostFilter lets those requests pass that are for one of the hosts, with any
// port: "a.example", "*.a.example" for one or more labels before it, "[::1]".
// Others get 421 (RFC 9110 §15.5.20), and 400 without a host that can be one. So
// a page of another site whose name leads here (DNS rebinding) reaches nothing,
// and no link is made with a foreign host. It looks at Context.Host. It panics
// if a text is not a host.
func HostFilter(hosts ...string) nextrush.Handler {
	if len(hosts) == 0 {
		panic("middleware: HostFilter: name at least one host")
	}
	hosts = slices.Clone(hosts)
	names, suffixes := parseHosts(hosts)
	return func(c *nextrush.Context) error {
		name, _, ok := splitHost(c.Host())
		if !ok {
			return nextrush.NewError(http.StatusBadRequest, "the host is missing or malformed")
		}
		below := func(suffix string) bool { return len(name) > len(suffix) && strings.HasSuffix(name, suffix) }
		if !slices.Contains(names, name) && !slices.ContainsFunc(suffixes, below) {
			return nextrush.NewError(http.StatusMisdirectedRequest).
				WithCause(fmt.Errorf("middleware: HostFilter: the host %q is none of these: %s", name, strings.Join(hosts, ", ")))
		}
		return c.Next()
	}
}

func parseHosts(hosts []string) (names, suffixes []string) {
	for _, host := range hosts {
		rest, wild := strings.CutPrefix(host, "*.")
		name, port, ok := splitHost(rest)
		if !ok || port != "" {
			panic(fmt.Sprintf("middleware: HostFilter: %q is no host; write it without scheme and port, as in %q or %q", host, "a.example", "*.a.example"))
		}
		if wild {
			suffixes = append(suffixes, "."+name)
			continue
		}
		names = append(names, name)
	}
	return names, suffixes
}

// splitHost splits a Host header into a name, in lower case and without the dot
// that may end it, or an IP address, and a port, which may be empty.
func splitHost(host string) (name, port string, ok bool) {
	u := url.URL{Host: host}
	name = strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(name)
		return name, u.Port(), err == nil && addr.Zone() == ""
	}
	strange := strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.')
	})
	return name, u.Port(), name != "" && name[0] != '.' && !strange
}

func joinHost(name, port string) string {
	switch {
	case port != "":
		return net.JoinHostPort(name, port)
	case strings.Contains(name, ":"):
		return "[" + name + "]"
	}
	return name
}
