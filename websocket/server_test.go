package websocket

import (
	"errors"
	"net/http"
	"testing"
)

func TestMaxConnections(t *testing.T) {
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, Options{MaxConnections: 2}, echo)
		first, second := st.raw(t), st.raw(t)
		refused := st.request(t, greeting())
		if refused.answer.StatusCode != 503 || refused.answer.Header.Get("Retry-After") == "" {
			t.Errorf("answer is %s, %v", refused.answer.Status, refused.answer.Header)
		}
		first.conn.Close()
		eventually(t, "a free place", func() bool {
			return st.request(t, greeting()).answer.StatusCode == 101
		})
		second.alive()
		if n := st.srv.Stats().Rejected["connections"]; n < 1 {
			t.Errorf("counted %d refusals", n)
		}
	})
}

// Who has one address of IPv6 has all that its network holds.
func TestMaxConnectionsPerIPCountsNetworksOfIPv6(t *testing.T) {
	srv := NewServer(Options{MaxConnectionsPerIP: 2})
	for _, step := range []struct {
		ip   string
		want bool
	}{
		{"2001:db8::1", true}, {"2001:db8::2%eth0", true}, {"2001:db8::3", false}, {"2001:db8:0:1::1", true},
		{"192.0.2.1", true}, {"::ffff:192.0.2.1", true}, {"192.0.2.1", false}, {"192.0.2.2", true},
		{"unknown", true}, {"unknown", true}, {"unknown", false},
	} {
		if _, refused := srv.admit(step.ip, nil); (refused == nil) != step.want {
			t.Errorf("%s: %v", step.ip, refused)
		}
	}
	srv.dismiss("2001:db8::2", nil)
	if _, refused := srv.admit("2001:db8::3", nil); refused != nil {
		t.Errorf("after another has gone: %v", refused)
	}
}

func TestMaxConnectionsPerIP(t *testing.T) {
	opts := Options{MaxConnectionsPerIP: 1, ClientIP: func(r *http.Request) string { return r.Header.Get("X-Test-IP") }}
	run(t, func(t *testing.T, n network) {
		st := n.serve(t, opts, echo)
		one := st.raw(t, "X-Test-IP: 192.0.2.1")
		st.raw(t, "X-Test-IP: 192.0.2.2")
		refused := st.request(t, greeting("X-Test-IP: 192.0.2.1"))
		if refused.answer.StatusCode != 429 || refused.answer.Header.Get("Retry-After") == "" {
			t.Errorf("answer is %s, %v", refused.answer.Status, refused.answer.Header)
		}
		one.conn.Close()
		eventually(t, "a free place", func() bool {
			return st.request(t, greeting("X-Test-IP: 192.0.2.1")).answer.StatusCode == 101
		})
	})
}

func TestUpgradesThatPanicGiveTheirPlaceBack(t *testing.T) {
	for name, opts := range map[string]Options{
		"VerifyClient": {VerifyClient: func(*http.Request) error { panic("boom") }},
		"SameOrigin":   {SameOrigin: func(*http.Request) string { panic("boom") }},
	} {
		t.Run(name, func(t *testing.T) {
			opts.MaxConnections, opts.Logger = 1, quiet
			st := inMemory.serve(t, opts, echo)
			for range 3 {
				if got := st.request(t, greeting()).answer.StatusCode; got != 500 {
					t.Errorf("answer is %d, want 500", got)
				}
			}
		})
	}
}

func TestRefusedUpgradesGiveTheirPlaceBack(t *testing.T) {
	opts := Options{MaxConnections: 1, MaxConnectionsPerIP: 1, VerifyClient: func(r *http.Request) error {
		if r.Header.Get("X-Key") == "" {
			return errors.New("no key")
		}
		return nil
	}}
	st := inMemory.serve(t, opts, echo)
	for range 3 {
		if got := st.request(t, greeting()).answer.StatusCode; got != 403 {
			t.Errorf("answer is %d, want 403", got)
		}
		if got := st.request(t, greeting("Origin: http://evil.example")).answer.StatusCode; got != 403 {
			t.Errorf("answer is %d, want 403", got)
		}
	}
	st.raw(t, "X-Key: yes")
}
