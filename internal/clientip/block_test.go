package clientip

import (
	"strings"
	"testing"
)

func TestNetworkIsWhatOneCustomerGets(t *testing.T) {
	for ip, want := range map[string]string{
		"192.0.2.7":          "192.0.2.7",
		"::ffff:192.0.2.7":   "192.0.2.7",
		"2001:db8:1:2:3::4":  "2001:db8:1:2::/64",
		"fe80::1:2:3:4%eth0": "fe80::/64",
		"@":                  "@",
	} {
		if got := Network(ip); got != want {
			t.Errorf("%s: %s, want %s", ip, got, want)
		}
	}
}

func TestBlocks(t *testing.T) {
	blocks, err := ParseBlocks([]string{"10.0.0.0/8", "::ffff:192.0.2.7", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for ip, want := range map[string]bool{
		"10.1.2.3": true, "::ffff:10.1.2.3": true, "192.0.2.7": true, "2001:db8::1%eth0": true,
		"11.0.0.1": false, "192.0.2.8": false, "2001:db9::1": false, "": false, "@": false,
	} {
		if got := blocks.Have(ip); got != want {
			t.Errorf("%q: %t", ip, got)
		}
	}
	for _, s := range []string{"", "localhost", "10.0.0.0/33", "192.0.2.1:80", "::ffff:10.0.0.0/104", "fe80::1%eth0"} {
		if _, err := ParseBlocks([]string{"10.0.0.1", s}); err == nil || !strings.Contains(err.Error(), `"`+s+`"`) {
			t.Errorf("%q: %v", s, err)
		}
	}
}
