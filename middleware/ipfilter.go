package middleware

import (
	"fmt"
	"net/http"
	"net/netip"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/clientip"
)

// IPFilterOptions configures IPFilter. At least one list is needed. They hold
// addresses and CIDR blocks: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", and the names
// that nextrush.Options.TrustedProxies knows, as "private".
type IPFilterOptions struct {
	Allow []string // that may pass; empty: all that Deny lets
	Deny  []string // that may not, whether they are in Allow or not
}

// IPFilter answers 403 to clients by their address, which is that of
// Context.IP: behind a proxy it needs Options.TrustedProxies. It panics on
// a text that is neither an address nor a block.
func IPFilter(o IPFilterOptions) nextrush.Handler {
	if len(o.Allow) == 0 && len(o.Deny) == 0 {
		panic("middleware: IPFilter: set Allow or Deny")
	}
	allow, deny := mustBlocks("IPFilter", o.Allow), mustBlocks("IPFilter", o.Deny)
	return func(c *nextrush.Context) error {
		ip := c.IP()
		if _, err := netip.ParseAddr(ip); err != nil {
			return nextrush.NewError(http.StatusForbidden).WithCause(err)
		}
		switch {
		case deny.Have(ip):
			return nextrush.NewError(http.StatusForbidden).WithCause(fmt.Errorf("middleware: IPFilter: the address %s is denied", ip))
		case len(allow) > 0 && !allow.Have(ip):
			return nextrush.NewError(http.StatusForbidden).WithCause(fmt.Errorf("middleware: IPFilter: the address %s is not in Allow", ip))
		}
		return c.Next()
	}
}

func mustBlocks(middleware string, list []string) clientip.Blocks {
	blocks, err := clientip.ParseBlocks(list)
	if err != nil {
		panic("middleware: " + middleware + ": " + err.Error())
	}
	return blocks
}
