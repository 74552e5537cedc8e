package clientip

import (
	"fmt"
	"net/netip"
	"slices"
)

// Blocks is a list of addresses and CIDR blocks.
type Blocks []netip.Prefix

// ParseBlocks reads "192.0.2.1", "10.0.0.0/8", "2001:db8::/32", and the names of presets.
// An error names the text that is none of these.
func ParseBlocks(list []string) (Blocks, error) {
	var blocks Blocks
	for _, s := range list {
		if preset, ok := presets[s]; ok {
			blocks = append(blocks, preset...)
			continue
		}
		block, err := netip.ParsePrefix(s)
		if addr, single := netip.ParseAddr(s); single == nil && addr.Zone() == "" {
			addr = addr.Unmap()
			block, err = netip.PrefixFrom(addr, addr.BitLen()), nil
		}
		if err != nil || block.Addr().Is4In6() {
			return nil, fmt.Errorf("%q is neither an address nor a CIDR block such as 10.0.0.0/8, nor loopback, private, linklocal or cloudflare", s)
		}
		blocks = append(blocks, block)
	}
	return blocks, nil
}

// Have reports whether an address is in one of the blocks.
func (b Blocks) Have(ip string) bool {
	addr, err := netip.ParseAddr(ip)
	return err == nil && b.have(addr)
}

func (b Blocks) have(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(b, func(block netip.Prefix) bool { return block.Contains(addr) })
}

// Network names what one customer of a provider gets, for limits: an IPv4 address, or
// an IPv6 network of 64 bits. A text that is not an address stays as it is.
func Network(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	if addr = addr.Unmap(); addr.Is4() {
		return addr.String()
	}
	network, _ := addr.WithZone("").Prefix(64)
	return network.String()
}
