package websocket

import (
	"fmt"
	"net/http"
	"testing"
)

func TestOrigins(t *testing.T) {
	patterns := []string{"https://a.example", "https://*.b.example", "http://c.example:3000", "http://[0::1]:3000"}
	for _, c := range []struct {
		allow  []string
		origin string
		want   int
	}{
		{nil, "http://server.example", 101},
		{nil, "HTTP://Server.EXAMPLE", 101},
		{nil, "http://server.example:80", 101},
		{nil, "https://server.example", 403},
		{nil, "http://server.example:443", 403},
		{nil, "http://server.example:8080", 403},
		{nil, "http://server.example:", 403},
		{nil, "http://server.example.", 403},
		{nil, "http://server.example/", 403},
		{nil, "http://server.example.evil.example", 403},
		{nil, "http://evil-server.example", 403},
		{nil, "http://evil.example", 403},
		{nil, "http://evil.example/server.example", 403},
		{nil, "http://evil.example?server.example", 403},
		{nil, "http://evil.example#server.example", 403},
		{nil, "http://server.example@evil.example", 403},
		{nil, "http://server.example:80@evil.example", 403},
		{nil, `http://evil.example\@server.example`, 403},
		{nil, "http://server.example http://evil.example", 403},
		{nil, "http://evil.example, http://server.example", 403},
		{nil, "server.example", 403},
		{nil, "//server.example", 403},
		{nil, "null", 403},
		{nil, "", 403},
		{nil, "*", 403},
		{nil, "file://", 403},
		{nil, "http://", 403},
		{nil, "http://[::1", 403},
		{nil, "http://server%2eexample", 403},
		{nil, "http://evil.example\r\nOrigin: http://server.example", 403},
		{patterns, "https://a.example", 101},
		{patterns, "https://A.EXAMPLE:443", 101},
		{patterns, "http://server.example", 101},
		{patterns, "http://[::1]:3000", 101},
		{patterns, "http://a.example", 403},
		{patterns, "https://a.example:444", 403},
		{patterns, "https://a.example.evil", 403},
		{patterns, "https://x.a.example", 403},
		{patterns, "https://x.b.example", 101},
		{patterns, "https://x.y.b.example", 101},
		{patterns, "https://b.example", 403},
		{patterns, "https://.b.example", 403},
		{patterns, "https://xb.example", 403},
		{patterns, "https://x.b.example.evil", 403},
		{patterns, "http://x.b.example", 403},
		{patterns, "http://c.example:3000", 101},
		{patterns, "http://c.example", 403},
		{patterns, "null", 403},
		{[]string{"*"}, "https://anybody.example", 101},
		{[]string{"*"}, "null", 403},
		{[]string{"*"}, "https://a.example\r\nOrigin: null", 403},
	} {
		t.Run(fmt.Sprintf("%.1v %q", c.allow, c.origin), func(t *testing.T) {
			st := inMemory.serve(t, Options{AllowOrigins: c.allow}, echo)
			peer := st.request(t, greeting("Origin: "+c.origin))
			if peer.answer.StatusCode != c.want {
				t.Errorf("answer is %s, want %d", peer.answer.Status, c.want)
			}
			if n := st.srv.Stats().Rejected["origin"]; (n == 1) != (c.want == 403) {
				t.Errorf("counted %d refusals", n)
			}
		})
	}
}

func TestSameOriginBehindAProxy(t *testing.T) {
	opts := Options{SameOrigin: func(*http.Request) string { return "https://public.example" }}
	st := inMemory.serve(t, opts, echo)
	st.raw(t, "Origin: https://public.example")
	if got := st.request(t, greeting("Origin: http://server.example")).answer.StatusCode; got != 403 {
		t.Errorf("answer is %d, want 403", got)
	}
}
