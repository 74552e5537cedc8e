package nextrush

import (
	"net/http/httptest"
	"testing"
)

func TestProxiesAreTrustedByTheirNumber(t *testing.T) {
	for _, tt := range []struct {
		name      string
		hops      int
		forwarded []string
		want      string
	}{
		{"one", 1, []string{"6.6.6.6, 1.1.1.1"}, "1.1.1.1"},
		{"two", 2, []string{"6.6.6.6, 1.1.1.1, 10.2.3.4"}, "1.1.1.1"},
		{"all lines count", 2, []string{"6.6.6.6", "1.1.1.1", "192.0.2.9"}, "1.1.1.1"},
		{"three, and the client has written nothing", 3, []string{"1.1.1.1, 10.0.0.2, 10.0.0.3"}, "1.1.1.1"},
		{"fewer than there should be", 3, []string{"1.1.1.1"}, "1.1.1.1"},
		{"no header", 1, nil, "192.0.2.1"},
		{"nonsense ends the walk", 3, []string{"1.1.1.1, x, 10.0.0.3"}, "10.0.0.3"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Forwarded-For"] = tt.forwarded
		if got := newContext(New(Options{TrustedHops: tt.hops}), nil, r).IP(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestByTheirNumberTheOutermostProxyNamesTheOrigin(t *testing.T) {
	for _, tt := range []struct {
		hops        int
		proto, host string
		want        string
	}{
		{1, "https", "a.example", "https://a.example"},
		{2, "https", "a.example", "https://a.example"},
		{1, "http, https", "evil.example, a.example", "https://a.example"},
		{2, "http, https, http", "evil.example, a.example, inner.example", "https://a.example"},
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("X-Forwarded-Proto", tt.proto)
		r.Header.Set("X-Forwarded-Host", tt.host)
		c := newContext(New(Options{TrustedHops: tt.hops}), nil, r)
		if got := c.Scheme() + "://" + c.Host(); got != tt.want {
			t.Errorf("%+v: got %s", tt, got)
		}
	}
}

func TestProxiesHaveNames(t *testing.T) {
	for name, peers := range map[string]map[string]bool{
		"loopback":   {"127.9.9.9:1": true, "[::1]:1": true, "10.0.0.1:1": false},
		"private":    {"10.0.0.1:1": true, "172.31.0.1:1": true, "172.32.0.1:1": false, "192.168.0.1:1": true, "[fd00::1]:1": true, "127.0.0.1:1": false},
		"linklocal":  {"169.254.1.1:1": true, "[fe80::1%eth0]:1": true, "10.0.0.1:1": false},
		"cloudflare": {"104.16.0.1:1": true, "[2606:4700::1]:1": true, "104.32.0.1:1": false},
	} {
		app := New(Options{TrustedProxies: []string{name}})
		for peer, trusted := range peers {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = peer
			r.Header.Set("X-Forwarded-For", "1.1.1.1")
			if got := newContext(app, nil, r).IP() == "1.1.1.1"; got != trusted {
				t.Errorf("%s, peer %s: trusted %t", name, peer, got)
			}
		}
	}
}

// Cloudflare passes on an X-Forwarded-Host that the visitor has sent, and sets none.
func TestCloudflareDoesNotSayForWhichHostARequestIs(t *testing.T) {
	for peer, want := range map[string]string{
		"104.16.0.1:1":     "https://a.example",
		"[2606:4700::1]:1": "https://a.example",
		"127.0.0.1:1":      "https://b.example", // a proxy of our own, behind Cloudflare
		"192.0.2.1:1":      "http://a.example",
	} {
		r := httptest.NewRequest("GET", "http://a.example/", nil)
		r.RemoteAddr = peer
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "b.example")
		c := newContext(New(Options{TrustedProxies: []string{"cloudflare", "loopback"}}), nil, r)
		if got := c.Scheme() + "://" + c.Host(); got != want {
			t.Errorf("peer %s: %s, want %s", peer, got, want)
		}
	}
}

func TestTheListOfProxiesCanBeRefreshed(t *testing.T) {
	app := New(Options{TrustedProxies: []string{"cloudflare"}})
	ip := func() string {
		r := httptest.NewRequest("GET", "/", nil) // of 192.0.2.1
		r.Header.Set("X-Forwarded-For", "1.1.1.1")
		return newContext(app, nil, r).IP()
	}
	if ip() != "192.0.2.1" {
		t.Fatal("believed")
	}
	if err := app.TrustProxies("loopback", "192.0.2.0/24"); err != nil || ip() != "1.1.1.1" {
		t.Errorf("the new one is not: %v", err)
	}
	if err := app.TrustProxies("nonsense"); err == nil || ip() != "1.1.1.1" {
		t.Errorf("nonsense changes the list: %v", err)
	}
	if err := app.TrustProxies(); err != nil || ip() != "192.0.2.1" {
		t.Errorf("an empty list still trusts: %v", err)
	}
	if New(Options{TrustedHops: 1}).TrustProxies("loopback") == nil {
		t.Error("a list beside a number")
	}
}

func TestProxiesByNumberAndByListExcludeEachOther(t *testing.T) {
	for _, o := range []Options{{TrustedHops: -1}, {TrustedHops: 1, TrustedProxies: []string{"loopback"}}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v: no panic", o)
				}
			}()
			New(o)
		}()
	}
}
