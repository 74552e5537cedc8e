package handshake

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func TestParseURL(t *testing.T) {
	for raw, want := range map[string]string{
		"ws://a.example/x?y": "ws://a.example/x?y", "http://a.example": "ws://a.example", "https://a.example": "wss://a.example",
		"wss://a.example/#part": "", "ftp://a.example": "", "a.example": "", "ws:///x": "", "ws://a b": "",
	} {
		u, err := ParseURL(raw)
		if (err == nil) != (want != "") || err == nil && u.String() != want {
			t.Errorf("%q: %v, %v", raw, u, err)
		}
	}
}

func TestTheRequestOfAClient(t *testing.T) {
	u, _ := url.Parse("wss://ada:secret@a.example/chat")
	d := Dialer{Header: http.Header{"Origin": {"https://a.example"}}, Protocols: []string{"a", "b"}, Deflate: true}
	r := d.request(u, "key")
	for name, want := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-Websocket-Version": "13", "Sec-Websocket-Key": "key",
		"Sec-Websocket-Protocol": "a, b", "Authorization": "Basic YWRhOnNlY3JldA==", "Origin": "https://a.example",
	} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if r.URL.Scheme != "https" || r.Host != "a.example" || r.Header.Get("Sec-Websocket-Extensions") == "" || len(d.Header) != 1 {
		t.Errorf("%v %v, and the caller's header %v", r.URL, r.Header, d.Header)
	}
	d.Header = http.Header{"Authorization": {"Bearer x"}, "Host": {"b.example"}}
	if r := d.request(u, "key"); r.Header.Get("Authorization") != "Bearer x" || r.Host != "b.example" {
		t.Errorf("what the caller set is replaced: %v, %s", r.Header, r.Host)
	}
}

// accepted is an answer that a client takes.
func accepted(key string) *http.Response {
	return &http.Response{StatusCode: 101, Body: http.NoBody, Header: http.Header{
		"Upgrade": {"WebSocket"}, "Connection": {"upgrade"}, "Sec-Websocket-Accept": {wire.AcceptKey(key)},
	}}
}

func TestAnswersThatAClientRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(r *http.Response)
		want   string
	}{
		"as in the RFC":      {func(*http.Response) {}, ""},
		"our protocol":       {func(r *http.Response) { r.Header.Set("Sec-WebSocket-Protocol", "a") }, ""},
		"another status":     {func(r *http.Response) { r.StatusCode = 403; r.Body = io.NopCloser(strings.NewReader("no")) }, "Forbidden"},
		"no Upgrade":         {func(r *http.Response) { r.Header.Del("Upgrade") }, "does not upgrade"},
		"no Connection":      {func(r *http.Response) { r.Header.Set("Connection", "close") }, "does not upgrade"},
		"another key's":      {func(r *http.Response) { r.Header.Set("Sec-WebSocket-Accept", wire.AcceptKey("x")) }, "wrong Sec-WebSocket-Accept"},
		"another protocol":   {func(r *http.Response) { r.Header.Set("Sec-WebSocket-Protocol", "b") }, "not offered"},
		"two protocols":      {func(r *http.Response) { r.Header["Sec-Websocket-Protocol"] = []string{"a", "a"} }, "not offered"},
		"another extension":  {func(r *http.Response) { r.Header.Set("Sec-WebSocket-Extensions", "x") }, "extension"},
		"a window not asked": {func(r *http.Response) { r.Header.Set("Sec-WebSocket-Extensions", "permessage-deflate; x") }, "extension"},
	} {
		for _, deflate := range []bool{false, true} {
			res := accepted("key")
			tt.change(res)
			d := Dialer{Protocols: []string{"a"}, Deflate: deflate}
			_, refused := d.checkAnswer(res, "key")
			if (refused == nil) != (tt.want == "") || refused != nil && !strings.Contains(refused.Message, tt.want) {
				t.Errorf("%s, deflate %t: %+v", name, deflate, refused)
			}
			if tt.want == "Forbidden" && string(refused.Body) != "no" {
				t.Errorf("the reason is lost: %q", refused.Body)
			}
		}
	}
}

// inProcess serves a handler to a Dialer.
func inProcess(t *testing.T, h http.HandlerFunc) (d *Dialer, u *url.URL) {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	u, err := ParseURL(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &Dialer{}, u
}

// What the server sends together with its 101 is the connection's first bytes.
func TestDialKeepsWhatComesWithTheAnswer(t *testing.T) {
	d, u := inProcess(t, func(w http.ResponseWriter, r *http.Request) {
		if _, refused := Check(r); refused != nil {
			t.Errorf("%+v", refused)
		}
		conn, _, _ := w.(http.Hijacker).Hijack()
		defer conn.Close()
		conn.Write(append((&Answer{Key: Key(r)}).Bytes(nil), "early"...))
	})
	c, refused, err := d.Dial(t.Context(), u)
	if err != nil || refused != nil {
		t.Fatal(refused, err)
	}
	defer c.Close()
	if got, _ := io.ReadAll(c); string(got) != "early" {
		t.Errorf("%q", got)
	}
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d, u := inProcess(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	if _, _, err := d.Dial(ctx, u); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	d.NetDial = func(ctx context.Context, _, _ string) (net.Conn, error) { return nil, ctx.Err() }
	if _, _, err := d.Dial(ctx, u); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestARefusalIsNoError(t *testing.T) {
	d, u := inProcess(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "5")
		http.Error(w, "full", http.StatusServiceUnavailable)
	})
	_, refused, err := d.Dial(t.Context(), u)
	if err != nil || refused == nil || refused.Status != 503 || refused.Header.Get("Retry-After") != "5" || string(refused.Body) != "full\n" {
		t.Errorf("%+v, %v", refused, err)
	}
}
