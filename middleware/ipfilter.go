package middleware

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"

	"github.com/nextrush/nextrush"
)

// IPFilterOptions configures IPFilter. At least one list is needed. They hold
// addresses and CIDR blocks: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32".
type IPFilterOptions struct {
	Allow []string // that may pass; empty: all that Deny lets
	Deny  []string // that may not, whether they are in Allow or not
}

// IPFilter answers 403 to clients by their address, which is that of
// Context.IP: behind a proxy it needs Options.TrustedProxies. It panics on what
// is no address.
func IPFilter(o IPFilterOptions) nextrush.Handler {
	if len(o.Allow) == 0 && len(o.Deny) == 0 {
		panic("middleware: IPFilter: set Allow or Deny")
	}
	allow, deny := parseBlocks("IPFilter", o.Allow), parseBlocks("IPFilter", o.Deny)
	return func(c *nextrush.Context) error {
		addr, err := netip.ParseAddr(c.IP())
		if err != nil {
			return nextrush.NewError(http.StatusForbidden).WithCause(err)
		}
		in := func(block netip.Prefix) bool { return block.Contains(addr.Unmap().WithZone("")) }
		switch {
		case slices.ContainsFunc(deny, in):
			return nextrush.NewError(http.StatusForbidden).WithCause(fmt.Errorf("middleware: IPFilter: the address %s is denied", addr))
		case len(allow) > 0 && !slices.ContainsFunc(allow, in):
			return nextrush.NewError(http.StatusForbidden).WithCause(fmt.Errorf("middleware: IPFilter: the address %s is not in Allow", addr))
		}
		return c.Next()
	}
}

func parseBlocks(name string, list []string) []netip.Prefix {
	blocks := make([]netip.Prefix, len(list))
	for i, s := range list {
		block, err := netip.ParsePrefix(s)
		if addr, single := netip.ParseAddr(s); single == nil && addr.Zone() == "" {
			block, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || block.Addr().Is4In6() {
			panic(fmt.Sprintf("middleware: %s: %q is neither an address nor a CIDR block such as 10.0.0.0/8", name, s))
		}
		blocks[i] = block
	}
	return blocks
}
