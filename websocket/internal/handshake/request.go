// Package handshake is the opening handshake of RFC 6455 §4: what a server says to a request,
// and how a client asks for a connection. It knows no socket.
package handshake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// Refusal is why there is no handshake. Its fields are those of websocket.HandshakeError.
type Refusal struct {
	Status  int
	Message string
	Header  http.Header
	Body    []byte
	Err     error
}

// Refuse makes a refusal with headers, of which each is a name and a value.
func Refuse(status int, message string, header ...string) *Refusal {
	e := &Refusal{Status: status, Message: message}
	for i := 0; i+1 < len(header); i += 2 {
		if e.Header == nil {
			e.Header = make(http.Header)
		}
		e.Header.Set(header[i], header[i+1])
	}
	return e
}

const maxProtocols = 64 // subprotocols that an offer may list

// Check applies RFC 6455 §4.2.1 to a request, and returns the subprotocols that it offers.
func Check(r *http.Request) (offer []string, refused *Refusal) {
	if refused = check(r); refused != nil {
		return nil, refused
	}
	offer, ok := wire.ParseTokens(r.Header["Sec-Websocket-Protocol"])
	if !ok || len(offer) > maxProtocols {
		return nil, Refuse(http.StatusBadRequest, "malformed Sec-WebSocket-Protocol")
	}
	return offer, nil
}

func check(r *http.Request) *Refusal {
	h := r.Header
	switch {
	case r.Method != http.MethodGet:
		return Refuse(http.StatusMethodNotAllowed, "WebSocket needs GET", "Allow", "GET")
	case r.ProtoMajor != 1: // no Upgrade field there (RFC 9113 §8.2.2)
		return Refuse(http.StatusUpgradeRequired, "this is a WebSocket: connect with HTTP/1.1")
	case r.ProtoMinor < 1, // where Upgrade has no meaning (RFC 9110 §7.8)
		!wire.TokenListContains(h["Connection"], "upgrade"), !wire.TokenListContains(h["Upgrade"], "websocket"):
		return Refuse(http.StatusUpgradeRequired, "this is a WebSocket", "Upgrade", "websocket", "Connection", "Upgrade")
	case len(h["Sec-Websocket-Version"]) != 1 || strings.TrimSpace(h["Sec-Websocket-Version"][0]) != "13":
		return Refuse(http.StatusUpgradeRequired, "WebSocket version must be 13",
			"Sec-WebSocket-Version", "13", "Upgrade", "websocket", "Connection", "Upgrade")
	case len(h["Sec-Websocket-Key"]) != 1 || !wire.ValidKey(strings.TrimSpace(h["Sec-Websocket-Key"][0])):
		return Refuse(http.StatusBadRequest, "Sec-WebSocket-Key must be 16 bytes in base64")
	case r.Host == "":
		return Refuse(http.StatusBadRequest, "Host is missing")
	case r.ContentLength > 0 || len(r.TransferEncoding) > 0:
		return Refuse(http.StatusBadRequest, "a WebSocket request has no body")
	}
	return nil
}

// Key is what the answer to a request has to prove to have read.
func Key(r *http.Request) string { return strings.TrimSpace(r.Header.Get("Sec-Websocket-Key")) }

// Choose is the first of ours that is among theirs, or empty.
func Choose(ours, theirs []string) string {
	for _, p := range ours {
		if slices.Contains(theirs, p) {
			return p
		}
	}
	return ""
}

// Answer is what a 101 tells.
type Answer struct {
	Key       string // of the request
	Protocol  string // empty: none
	Extension string // empty: none
}

// Bytes is the 101 (RFC 6455 §4.2.2) with the headers that were set on the
// ResponseWriter, such as cookies.
func (a *Answer) Bytes(header http.Header) []byte {
	var b strings.Builder
	b.WriteString("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
	b.WriteString(wire.AcceptKey(a.Key))
	if a.Protocol != "" {
		b.WriteString("\r\nSec-WebSocket-Protocol: ")
		b.WriteString(a.Protocol)
	}
	if a.Extension != "" {
		b.WriteString("\r\nSec-WebSocket-Extensions: ")
		b.WriteString(a.Extension)
	}
	b.WriteString("\r\n")
	if len(header) > 0 {
		header.WriteSubset(&b, notInAnswer)
	}
	b.WriteString("\r\n")
	return []byte(b.String())
}

// notInAnswer are headers that have no meaning in a 101, or are ours.
var notInAnswer = map[string]bool{
	"Connection": true, "Upgrade": true, "Content-Length": true, "Content-Type": true, "Transfer-Encoding": true,
	"Sec-Websocket-Accept": true, "Sec-Websocket-Protocol": true, "Sec-Websocket-Extensions": true,
}
