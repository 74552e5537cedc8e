package origin

import (
	"net/http"
	"strings"
	"testing"
)

func TestSame(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"http://a.example", "http://a.example", true},
		{"http://a.example", "HTTP://A.Example", true},
		{"http://a.example", "http://a.example:80", true},
		{"https://a.example", "https://a.example:443", true},
		{"https://a.example:443", "https://a.example:0443", true},
		{"ws://a.example", "ws://a.example:80", true},
		{"http://a.example", "https://a.example", false},
		{"http://a.example", "http://a.example:443", false},
		{"http://a.example", "http://a.example:8080", false},
		{"http://a.example", "http://a.example.", false},
		{"http://a.example.", "http://a.example.:80", true},
		{"http://a.example", "http://b.example", false},
		{"http://[::1]", "http://[::1]:80", true},
		{"http://[2001:DB8::1]:8080", "http://[2001:db8:0:0::1]:8080", true},
		{"http://[::1]", "http://[::2]", false},
		{"http://127.0.0.1", "http://127.0.0.1:80", true},
		{"capacitor://localhost", "capacitor://localhost", true},
	} {
		if Same(test.a, test.b) != test.want || Same(test.b, test.a) != test.want {
			t.Errorf("%s and %s: want %t", test.a, test.b, test.want)
		}
	}
}

func TestParseRefusesWhatIsNoOrigin(t *testing.T) {
	for _, text := range []string{
		"", "null", "*", "a.example", "//a.example", "http://", "file://", "http:a.example", "http://a.example/", "http://a.example?x", "http://a.example?",
		"http://a.example#x", "http://u@a.example", "http://u:p@a.example", "http://a.example:", "http://a.example:x", "http://a.example:65536",
		"http://[::1", "http://a%2eexample", "http://a.example http://b.example", "http://bücher.example", "http://\u212A.example", "http://a.example\n",
	} {
		if o, ok := Parse(text); ok {
			t.Errorf("%q is %+v", text, o)
		}
		if Same(text, text) {
			t.Errorf("%q is the same as itself", text)
		}
	}
}

func TestList(t *testing.T) {
	l, err := ParseList([]string{"https://A.example:443", "https://*.b.example", "http://*.b.example:3000", "http://[::1]:80"})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]bool{
		"https://a.example":           true,
		"HTTPS://A.EXAMPLE:443":       true,
		"http://[0::1]":               true,
		"https://x.b.example":         true,
		"https://x.y.B.example:443":   true,
		"http://x.b.example:3000":     true,
		"http://a.example":            false,
		"https://x.a.example":         false,
		"https://b.example":           false,
		"https://.b.example":          false,
		"https://xb.example":          false,
		"https://x.b.example:3000":    false,
		"https://x.b.example.evil":    false,
		"https://evil/.b.example":     false,
		"https://evil#.b.example":     false,
		"https://evil@x.b.example":    false,
		"https://wildcard.b.example.": false,
		"null":                        false,
		"":                            false,
	} {
		if l.Has(text) != want {
			t.Errorf("%q: want %t", text, want)
		}
	}
	for _, text := range []string{"*", "null", "a.example", "https://a.example/", "https://*a.example", "https://a.*.example", "https://*.*.example", "https://*", "https://bücher.example"} {
		if _, err := ParseList([]string{text}); err == nil || !strings.Contains(err.Error(), "https://a.example") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What Parse gives is an origin that it would give again.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"http://a.example", "https://[::1]:8443", "http://[fe80::1%25en0]", "null", "http://a:0080"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o, ok := Parse(text)
		if Same(text, text) != ok {
			t.Errorf("%q: %+v %t", text, o, ok)
		}
		if ok && strings.ContainsAny(o.Host, "/@# \t\r\n") {
			t.Errorf("%q: host %q", text, o.Host)
		}
	})
}

func TestCheckSite(t *testing.T) {
	trusted, _ := ParseList([]string{"https://friend.example:443"})
	for _, test := range []struct{ name, site, from, scheme, host, want string }{
		{"a program", "", "", "http", "a.example", ""},
		{"a page of ours", "same-origin", "http://a.example", "http", "a.example", ""},
		{"a page of ours, though the proxy drops its port", "same-origin", "https://a.example:8443", "https", "a.example", ""},
		{"the user", "none", "", "http", "a.example", ""},
		{"an old browser", "", "http://a.example", "http", "a.example", ""},
		{"an old browser, a host with the port", "", "http://a.example", "http", "a.example:80", ""},
		{"an old browser, a proxy that names the port", "", "https://a.example", "https", "a.example:443", ""},
		{"an old browser, a host in capitals", "", "http://a.example", "http", "A.Example", ""},
		{"an old browser, a proxy that ends TLS", "", "https://a.example", "http", "a.example", ""},
		{"an old browser, IPv6", "", "http://[::1]:3000", "http", "[0:0::1]:3000", ""},
		{"a friend", "cross-site", "https://friend.example", "https", "a.example", ""},
		{"a friend's old browser", "", "https://friend.example:443", "https", "a.example", ""},
		{"another site", "cross-site", "https://evil.example", "https", "a.example", `its Sec-Fetch-Site is "cross-site" and its Origin "https://evil.example"; to allow it, add it to TrustedOrigins`},
		{"a subdomain", "same-site", "https://x.a.example", "https", "a.example", `"same-site"`},
		{"another port", "", "https://a.example:18443", "https", "a.example", `its Origin is "https://a.example:18443", the server's "https://a.example"; to allow it, add it to TrustedOrigins`},
		{"another name in an old browser", "", "https://evil.example", "https", "a.example", "TrustedOrigins"},
		{"no origin", "", "null", "http", "a.example", "referrer policy no-referrer"},
		{"no origin, another site", "cross-site", "null", "http", "a.example", "sandboxed frame"},
		{"a page without HTTPS", "", "http://a.example", "https", "a.example", "a page without HTTPS"},
		{"a page without HTTPS, with our port", "", "http://a.example:443", "https", "a.example:443", "a page without HTTPS"},
		{"a host that is none", "", "http://a.example", "http", "a b", "TrustedOrigins"},
		{"a long one", "", "http://" + strings.Repeat("x", 5000), "http", "a.example", "…"},
	} {
		h := http.Header{}
		if test.site != "" {
			h.Set("Sec-Fetch-Site", test.site)
		}
		if test.from != "" {
			h.Set("Origin", test.from)
		}
		err := CheckSite(h, test.scheme, test.host, trusted.Has)
		if (err == nil) != (test.want == "") || err != nil && (!strings.Contains(err.Error(), test.want) || len(err.Error()) > 400) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}
