package h1

import "strings"

// The names that decide something here, by their index in names.
const (
	unknown = iota
	host
	contentLength
	transferEncoding
	connection
	expect
	upgrade
	trailer
	pragma
	cacheControl

	repeated = 63 // a field that an equal one before it stands for
)

// names are the usual names of fields in canonical form, fewer than repeated.
var names = [...]string{
	host: "Host", contentLength: "Content-Length", transferEncoding: "Transfer-Encoding", connection: "Connection",
	expect: "Expect", upgrade: "Upgrade", trailer: "Trailer", pragma: "Pragma", cacheControl: "Cache-Control",
	"Accept", "Accept-Charset", "Accept-Encoding", "Accept-Language", "Access-Control-Request-Headers",
	"Access-Control-Request-Method", "Authorization", "Content-Encoding", "Content-Type", "Cookie", "Dnt", "Forwarded",
	"If-Match", "If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since", "Keep-Alive", "Last-Event-Id",
	"Origin", "Priority", "Proxy-Connection", "Range", "Referer", "Sec-Ch-Ua", "Sec-Ch-Ua-Mobile", "Sec-Ch-Ua-Platform",
	"Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-Gpc", "Sec-Websocket-Extensions",
	"Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version", "Te", "Traceparent", "Tracestate",
	"Upgrade-Insecure-Requests", "User-Agent", "Via", "X-Api-Key", "X-Correlation-Id", "X-Csrf-Token", "X-Forwarded-For",
	"X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id", "X-Requested-With",
}

var lowerNames = func() (low [len(names)]string) {
	for id, name := range names {
		low[id] = strings.ToLower(name)
	}
	return low
}()

// slots finds the id of a name by its hash; no two names have the same one.
var slots = func() (table [256]uint8) {
	for id, name := range names[1:] {
		table[hash(name)] = uint8(id + 1)
	}
	return table
}()

// hash is the same in any case. Its factors have been tried until no two names met.
func hash[T ~string | ~[]byte](name T) uint8 {
	n := len(name)
	return uint8(n)*81 + lower[name[0]]*103 + (lower[name[n-1]]+lower[name[n-1-n/5]])*17
}

// known returns the id of a name in any case that is not empty, or unknown.
func known[T ~string | ~[]byte](name T) uint8 {
	if len(name) == 0 {
		return unknown
	}
	id := slots[hash(name)]
	if string(name) == names[id] || string(name) == lowerNames[id] || equalFold(name, lowerNames[id]) {
		return id
	}
	return unknown
}

// canonical reports whether the token is as http.CanonicalHeaderKey returns it.
func canonical(name []byte) bool {
	begins := true
	for _, c := range name {
		if begins != ('A' <= c && c <= 'Z') && lower[c]-'a' < 26 {
			return false
		}
		begins = c == '-'
	}
	return true
}

// appendCanonical appends the token as http.CanonicalHeaderKey returns it.
func appendCanonical(dst *strings.Builder, name []byte) {
	begins := true
	for _, c := range name {
		c = lower[c]
		if begins && 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		dst.WriteByte(c)
		begins = c == '-'
	}
}
