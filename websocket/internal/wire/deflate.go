package wire

import (
	"errors"
	"strconv"
)

// The names of RFC 7692 section 7.1.
const (
	extDeflate              = "permessage-deflate"
	serverNoContextTakeover = "server_no_context_takeover"
	clientNoContextTakeover = "client_no_context_takeover"
	serverMaxWindowBits     = "server_max_window_bits"
	clientMaxWindowBits     = "client_max_window_bits"
)

// Why AcceptDeflate refuses a server's answer.
var (
	ErrExtensionSyntax     = errors.New("websocket: malformed Sec-WebSocket-Extensions in the server's answer")
	ErrExtensionNotOffered = errors.New("websocket: the server chose an extension that was not offered")
	ErrDeflateParameters   = errors.New("websocket: the server answered permessage-deflate with parameters that were not offered or are not valid")
)

// Deflate is what two peers agreed on for permessage-deflate, RFC 7692 section
// 7.1. The window sizes are base-2 logarithms of bytes, 8 to 15.
type Deflate struct {
	ServerNoContextTakeover bool // the server compresses each message on its own
	ClientNoContextTakeover bool // the client does
	ServerMaxWindowBits     int  // bound of the server's window; 0: not agreed on, 15
	ClientMaxWindowBits     int  // bound of the client's window; 0: not agreed on, 15
	// ClientMaxWindowBitsOffered is set if the client said that it can be told
	// to use a smaller window.
	ClientMaxWindowBitsOffered bool
}

// NegotiateDeflate is the server's side: it takes the first acceptable offer of
// permessage-deflate in the lines of a request's Sec-WebSocket-Extensions, and
// returns what was agreed and the header that says so. Other extensions are
// ignored; an offer with an unknown, repeated or invalid parameter is declined.
// ok is false if no offer is left, or if the header breaks the grammar anywhere.
//
// Without takeover both sides are told to compress each message on its own.
// Linear in the length of offers.
func NegotiateDeflate(offers []string, takeover bool) (d Deflate, response string, ok bool) {
	var n negotiation
	if !scanExtensions(offers, n.begin, n.param) {
		return Deflate{}, "", false
	}
	n.settle()
	if !n.found {
		return Deflate{}, "", false
	}
	d = n.chosen
	if !takeover {
		d.ServerNoContextTakeover, d.ClientNoContextTakeover = true, true
	}
	return d, d.header(), true
}

// negotiation keeps the first acceptable offer of those that it is shown.
type negotiation struct {
	chosen  Deflate
	found   bool
	current deflateParams
	isOffer bool // current is an offer of permessage-deflate
}

func (n *negotiation) begin(name string) {
	n.settle()
	n.current, n.isOffer = deflateParams{}, name == extDeflate
}

func (n *negotiation) param(p parameter) {
	if n.isOffer && !n.found {
		n.current.add(p)
	}
}

// settle judges the offer that has just ended.
func (n *negotiation) settle() {
	if n.isOffer && !n.found && !n.current.invalid {
		n.chosen, n.found = n.current.Deflate, true
	}
}

// deflateParams collects the parameters of one offer or answer.
type deflateParams struct {
	Deflate
	serverBitsSeen bool
	invalid        bool // one was unknown, repeated or out of range
}

func (d *deflateParams) add(p parameter) {
	switch p.name {
	case serverNoContextTakeover:
		d.flag(&d.ServerNoContextTakeover, p)
	case clientNoContextTakeover:
		d.flag(&d.ClientNoContextTakeover, p)
	case serverMaxWindowBits:
		d.bits(&d.ServerMaxWindowBits, &d.serverBitsSeen, p)
	case clientMaxWindowBits:
		if !p.hasValue && !d.ClientMaxWindowBitsOffered {
			d.ClientMaxWindowBitsOffered = true
			return
		}
		d.bits(&d.ClientMaxWindowBits, &d.ClientMaxWindowBitsOffered, p)
	default:
		d.invalid = true
	}
}

// flag sets a parameter that has no value, RFC 7692 section 7.1.1.
func (d *deflateParams) flag(seen *bool, p parameter) {
	d.invalid = d.invalid || *seen || p.hasValue
	*seen = true
}

// bits sets a window size, RFC 7692 section 7.1.2.
func (d *deflateParams) bits(dst *int, seen *bool, p parameter) {
	bits, ok := windowBits(p.value)
	d.invalid = d.invalid || *seen || !ok
	*dst, *seen = bits, true
}

// windowBits reads 8 to 15 in decimal without leading zeros.
func windowBits(s string) (int, bool) {
	switch s {
	case "8", "9":
		return int(s[0] - '0'), true
	case "10", "11", "12", "13", "14", "15":
		return 10 + int(s[1]-'0'), true
	}
	return 0, false
}

// header returns the Sec-WebSocket-Extensions with which a server agrees to d.
func (d Deflate) header() string {
	b := append(make([]byte, 0, 128), extDeflate...)
	if d.ServerNoContextTakeover {
		b = append(b, "; "+serverNoContextTakeover...)
	}
	if d.ClientNoContextTakeover {
		b = append(b, "; "+clientNoContextTakeover...)
	}
	if d.ServerMaxWindowBits != 0 {
		b = strconv.AppendInt(append(b, "; "+serverMaxWindowBits+"="...), int64(d.ServerMaxWindowBits), 10)
	}
	if d.ClientMaxWindowBits != 0 {
		b = strconv.AppendInt(append(b, "; "+clientMaxWindowBits+"="...), int64(d.ClientMaxWindowBits), 10)
	}
	return string(b)
}

// OfferDeflate returns the Sec-WebSocket-Extensions with which a client offers
// permessage-deflate. It lets the server bound the client's window; without
// takeover it asks for messages that are compressed on their own, both ways.
func OfferDeflate(takeover bool) string {
	if takeover {
		return extDeflate + "; " + clientMaxWindowBits
	}
	return extDeflate + "; " + serverNoContextTakeover + "; " + clientNoContextTakeover + "; " + clientMaxWindowBits
}

// AcceptDeflate is the client's check of the server's answer to OfferDeflate. ok
// is false if the server chose no compression. An error, after which the client
// must fail the connection (RFC 6455 section 4.1, RFC 7692 section 7.1), is one of
// ErrExtensionSyntax, ErrExtensionNotOffered and ErrDeflateParameters.
//
// Without takeover the server has to agree to compress each message on its own;
// the client does so itself whether the server asks for it or not.
func AcceptDeflate(values []string, takeover bool) (d Deflate, ok bool, err error) {
	var answer deflateParams
	extensions, foreign := 0, false
	begin := func(name string) {
		extensions++
		foreign = foreign || name != extDeflate
	}
	if !scanExtensions(values, begin, answer.add) {
		return Deflate{}, false, ErrExtensionSyntax
	}
	if extensions == 0 {
		return Deflate{}, false, nil
	}
	if foreign || extensions > 1 {
		return Deflate{}, false, ErrExtensionNotOffered
	}
	if !answer.acceptable(takeover) {
		return Deflate{}, false, ErrDeflateParameters
	}
	answer.ClientNoContextTakeover = answer.ClientNoContextTakeover || !takeover
	return answer.Deflate, true, nil
}

// acceptable reports whether a client that called OfferDeflate(takeover) can
// live with the answer. In an answer client_max_window_bits has to have a value,
// RFC 7692 section 7.1.2.2.
func (d *deflateParams) acceptable(takeover bool) bool {
	if d.ClientMaxWindowBitsOffered && d.ClientMaxWindowBits == 0 {
		return false
	}
	return !d.invalid && (takeover || d.ServerNoContextTakeover)
}
