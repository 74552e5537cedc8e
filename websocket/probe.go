package websocket

import (
	"net/http"

	"github.com/nextrush/nextrush/websocket/internal/protocol"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// probeHeader marks a GET that asks what an upgrade would be answered: a page is not
// told why its WebSocket was refused.
const probeHeader = "Nextrush-Probe"

func isProbe(r *http.Request) bool {
	return r.Header.Get(probeHeader) == "1" && r.Method == http.MethodGet &&
		!wire.TokenListContains(r.Header["Upgrade"], "websocket")
}

// probe is accept for a probe: nothing is counted, and the handshake only goes as far as
// the 101.
func (ns *Namespace) probe(w http.ResponseWriter, r *http.Request) (*Handshake, *HandshakeError) {
	srv := ns.srv
	ip := srv.clientIP(r)
	if _, e := srv.admit(ip); e != nil {
		return nil, e
	}
	srv.dismiss(ip) // it takes no place
	if _, _, e := srv.verify(r); e != nil {
		srv.users.named()
		return nil, e
	}
	h := ns.connecting(w, r, ip, []string{protocol.Name})
	h.probe, h.major = true, r.ProtoMajor
	return h, nil
}

// wouldBeTaken is the answer to a probe whose upgrade would have been taken.
func wouldBeTaken(major int) *HandshakeError {
	const text = "the upgrade would be taken"
	if major > 1 { // no Upgrade field there (RFC 9113 §8.2.2)
		return refusal(http.StatusUpgradeRequired, text)
	}
	return refusal(http.StatusUpgradeRequired, text, "Upgrade", "websocket", "Connection", "Upgrade")
}
