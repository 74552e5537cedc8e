package handshake

import (
	"net/http"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// probeHeader marks a GET that asks what an upgrade would be answered: a page is not
// told why its WebSocket was refused.
const probeHeader = "Nextrush-Probe"

// IsProbe reports whether a request is such a GET.
func IsProbe(r *http.Request) bool {
	return r.Header.Get(probeHeader) == "1" && r.Method == http.MethodGet &&
		!wire.TokenListContains(r.Header["Upgrade"], "websocket")
}

// Taken is the answer to a probe whose upgrade would have been taken.
func Taken(major int) *Refusal {
	const text = "the upgrade would be taken"
	if major > 1 { // no Upgrade field there (RFC 9113 §8.2.2)
		return Refuse(http.StatusUpgradeRequired, text)
	}
	return Refuse(http.StatusUpgradeRequired, text, "Upgrade", "websocket", "Connection", "Upgrade")
}
