package h1

import (
	"net/http"
	"net/url"
)

// Request fills r from the head, with u as its URL: Method, URL, Proto, ProtoMajor,
// ProtoMinor, ContentLength, TransferEncoding, Close, Host, Trailer and RequestURI. The
// Header is that of Fields. The other fields are left as they are; the Body is the
// caller's, and nobody may forget it. What r refers to is nobody else's, so that handlers
// may change it.
func (h *Head) Request(r *http.Request, u *url.URL) {
	h.line.fill(u, h.Target)
	r.Method, r.URL, r.RequestURI = h.Method, u, h.Target
	r.Proto, r.ProtoMajor, r.ProtoMinor = h.Proto, 1, h.Minor
	r.Host = h.Host
	r.ContentLength, r.Close = h.Length, h.Close
	r.TransferEncoding, r.Trailer = nil, nil
	if h.Length < 0 {
		r.TransferEncoding = []string{"chunked"}
		r.Trailer = h.trailer()
	}
}

// noCache reports whether the request has HTTP/1.0's Pragma and not the Cache-Control that
// says the same (RFC 9111 §5.4).
func (h *Head) noCache() bool {
	return h.fields.value(pragma) == "no-cache" && !h.fields.has(cacheControl)
}

// hidden has the bits of the names that are fields of Request, and not in its header.
func (h *Head) hidden() uint64 {
	if h.Length < 0 {
		return 1<<host | 1<<transferEncoding | 1<<repeated | 1<<trailer
	}
	return 1<<host | 1<<transferEncoding | 1<<repeated
}

// trailer returns the announced names without values, or nil.
func (h *Head) trailer() http.Header {
	var names http.Header
	h.announced(func(name string) {
		if names == nil {
			names = http.Header{}
		}
		names[http.CanonicalHeaderKey(h.fields.own(name))] = nil
	})
	return names
}
