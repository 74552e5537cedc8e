package clientip

import "net/netip"

const cloudflare = "cloudflare"

// presets are blocks that go by a name.
var presets = map[string]Blocks{
	"loopback":  blocks("127.0.0.0/8", "::1/128"),                                    // RFC 6890 §2.2
	"private":   blocks("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"), // RFC 1918 §3, RFC 4193 §3.1
	"linklocal": blocks("169.254.0.0/16", "fe80::/10"),                               // RFC 3927 §2.1, RFC 4291 §2.5.6

	// https://www.cloudflare.com/ips-v4 and https://www.cloudflare.com/ips-v6, as
	// published in September 2026.
	cloudflare: blocks(
		"173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18",
		"108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17",
		"162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22",
		"2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32",
		"2a06:98c0::/29", "2c0f:f248::/32",
	),
}

func blocks(texts ...string) Blocks {
	list := make(Blocks, len(texts))
	for i, text := range texts {
		list[i] = netip.MustParsePrefix(text)
	}
	return list
}
