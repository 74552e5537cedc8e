package handshake

import (
	"cmp"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

func (d *Dialer) request(u *url.URL, key string) *http.Request {
	target := *u
	target.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	h := d.Header.Clone()
	if h == nil {
		h = make(http.Header)
	}
	h.Set("Connection", "Upgrade")
	h.Set("Upgrade", "websocket")
	h.Set("Sec-WebSocket-Version", "13")
	h.Set("Sec-WebSocket-Key", key)
	if len(d.Protocols) > 0 {
		h.Set("Sec-WebSocket-Protocol", strings.Join(d.Protocols, ", "))
	}
	if d.Deflate {
		h.Set("Sec-WebSocket-Extensions", wire.OfferDeflate(d.Takeover))
	}
	if u.User != nil && h.Get("Authorization") == "" {
		password, _ := u.User.Password()
		h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	return &http.Request{Method: http.MethodGet, URL: &target, Host: cmp.Or(h.Get("Host"), u.Host), Header: h, ProtoMajor: 1, ProtoMinor: 1}
}

// checkAnswer applies RFC 6455 §4.1 to the server's answer.
func (d *Dialer) checkAnswer(resp *http.Response, key string) (*wire.Deflate, *Refusal) {
	refused := &Refusal{Status: resp.StatusCode, Header: resp.Header}
	h := resp.Header
	protocol := h.Get("Sec-WebSocket-Protocol")
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols:
		refused.Message = http.StatusText(resp.StatusCode)
		refused.Body, _ = io.ReadAll(io.LimitReader(resp.Body, 4<<10))
		return nil, refused
	case !wire.TokenListContains(h["Upgrade"], "websocket") || !wire.TokenListContains(h["Connection"], "upgrade"):
		refused.Message = "answer does not upgrade to WebSocket"
		return nil, refused
	case h.Get("Sec-WebSocket-Accept") != wire.AcceptKey(key):
		refused.Message = "answer has a wrong Sec-WebSocket-Accept"
		return nil, refused
	case len(h["Sec-Websocket-Protocol"]) > 1 || protocol != "" && Choose(d.Protocols, []string{protocol}) == "":
		refused.Message = "answer has a subprotocol that was not offered"
		return nil, refused
	}
	extensions := h["Sec-Websocket-Extensions"]
	if len(extensions) == 0 {
		return nil, nil
	}
	if !d.Deflate {
		refused.Message = "answer has an extension that was not offered"
		return nil, refused
	}
	agreed, ok, err := wire.AcceptDeflate(extensions, d.Takeover)
	if err != nil {
		refused.Message, refused.Err = "answer has a wrong extension", err
		return nil, refused
	}
	if !ok {
		return nil, nil
	}
	return &agreed, nil
}
