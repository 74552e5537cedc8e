package h1

import "strconv"

// decide finds out how the request is framed and what is wanted of the connection, in the
// order in which net/http does.
func (h *Head) decide() error {
	if h.fields.repeats(host) {
		return errHosts
	}
	h.decideClose()
	if err := h.decideLength(); err != nil {
		return err
	}
	name := h.fields.value(host)
	switch {
	case h.line.major != 1:
		return errUnsupported
	case !h.fields.has(host) && h.Minor > 0:
		return errNoHost
	case !all(name, hostChar):
		return errHost
	case h.fields.spaced:
		return errSpacedName
	}
	h.Host = h.fields.own(name)
	if u := h.line.url; u != nil && u.Host != "" {
		h.Host = u.Host
	}
	if h.Host == "" && h.Minor > 0 {
		return errEmptyHost
	}
	h.Upgrade = h.fields.has(upgrade)
	return h.decideExpect()
}

// decideClose reads Connection (RFC 9112 §9.3).
func (h *Head) decideClose() {
	keep := false
	for v := range h.fields.values(connection) {
		h.Close = h.Close || listed(v, "close")
		keep = keep || listed(v, "keep-alive")
	}
	first := h.fields.value(connection)
	old := h.Minor == 0
	h.Close = h.Close || old && !keep
	h.asked = Asked{
		Minor:     int8(h.Minor),
		Head:      h.Method == "HEAD",
		Close:     h.Close || hasWord(first, "close"),
		KeepAlive: old && hasWord(first, "keep-alive"),
	}
}

// decideLength finds out where the body ends (RFC 9112 §6).
func (h *Head) decideLength() error {
	// Versions below 1.0 are refused, but not before their Content-Length, if that is wrong.
	// Of Transfer-Encoding only 0.0 knows, which net/http takes for 1.1 here.
	if h.fields.has(transferEncoding) && (h.line.major > 0 || h.Minor == 0) {
		return h.decideCoding()
	}
	if !h.fields.has(contentLength) {
		return nil
	}
	if h.fields.repeats(contentLength) && !h.fields.unite(contentLength) {
		return errLengths
	}
	n, err := strconv.ParseUint(h.fields.value(contentLength), 10, 63)
	if err != nil {
		return errLength
	}
	h.Length = int64(n)
	return nil
}

// decideCoding reads Transfer-Encoding: chunked is the only one there is, once and alone.
func (h *Head) decideCoding() error {
	if h.line.major == 1 && h.Minor == 0 {
		return errOldCoding
	}
	if h.fields.repeats(transferEncoding) || !equalFold(h.fields.value(transferEncoding), "chunked") {
		return h.badCoding()
	}
	if h.fields.has(contentLength) {
		return errLengthCoding
	}
	h.Length = -1
	return h.checkTrailer()
}

// badCoding tells codings that are not known from those that no reader could frame the
// request by, as chunked is not the last of them or is there twice (RFC 9112 §6.3).
func (h *Head) badCoding() error {
	last, early := "", false
	for v := range h.fields.values(transferEncoding) {
		elements(v, func(coding string) {
			early = early || equalFold(last, "chunked")
			last = coding
		})
	}
	if early || last == "" {
		return errCodings
	}
	return errCoding
}

// checkTrailer refuses a Trailer with names that frame a message (RFC 9110 §6.5.1).
func (h *Head) checkTrailer() (err error) {
	h.announced(func(name string) {
		switch known(name) {
		case transferEncoding, trailer, contentLength:
			err = errAnnounced
		}
	})
	return err
}

// announced calls f for each name in Trailer.
func (h *Head) announced(f func(name string)) {
	for v := range h.fields.values(trailer) {
		elements(v, f)
	}
}

// decideExpect reads Expect (RFC 9110 §10.1.1).
func (h *Head) decideExpect() error {
	switch v := h.fields.value(expect); {
	case v == "":
	case hasWord(v, "100-continue"):
		h.Continue = h.Minor > 0 && h.Length != 0
	default:
		return errExpectation
	}
	return nil
}
