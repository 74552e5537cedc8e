package h1

import (
	"net/http"
	"slices"
	"strings"
)

// A Snapshot is the header of an answer as it was at WriteHeader, in the form in which it
// is sent: whatever the handler does to it afterwards has no effect. The zero value is that
// of an empty header. One that has been used can be used again.
type Snapshot struct {
	text     []byte              // the fields, in the order of their names
	optional [optionals]struct { // where in it those are that Framing may leave out
		from, end int
	}
	said sayings
}

// The fields that Framing may leave out, in the order of their names.
const (
	optConnection = iota
	optLength
	optType
	optCoding
	optionals
)

// sayings are what of a handler's header decides something: whether a field is there, or
// its first value.
type sayings struct {
	length, ctype, date, connected, trailer bool
	upgrade, upgrades                       bool // whether Upgrade names a protocol, and Connection has "upgrade"
	connection, coding, encoding            string
	trailers                                []string // the names that Trailer announces
}

// Take takes the header.
func (s *Snapshot) Take(header http.Header) {
	*s = Snapshot{text: s.text[:0]}
	var room [24]string
	names := room[:0]
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		s.take(name, header[name])
	}
}

// TakeType takes a header that has a Content-Type and nothing else.
func (s *Snapshot) TakeType(contentType string) {
	*s = Snapshot{text: s.text[:0]}
	s.take("Content-Type", []string{contentType})
}

func (s *Snapshot) take(name string, values []string) {
	which := s.said.note(name, values)
	if which == optionals && !isToken(name) {
		return
	}
	from := len(s.text)
	for _, v := range values {
		s.text = appendField(s.text, name, v)
	}
	if which < optionals {
		s.optional[which].from, s.optional[which].end = from, len(s.text)
	}
}

// note notes what a field says. It returns which of those it is that may be left out, or
// optionals if it is none.
func (s *sayings) note(name string, values []string) (which int) {
	switch name {
	case "Connection":
		s.connected, s.connection = true, first(values)
		s.upgrades = slices.ContainsFunc(values, func(v string) bool { return listed(v, "upgrade") })
		return optConnection
	case "Content-Length":
		s.length = true
		return optLength
	case "Content-Type":
		s.ctype = true
		return optType
	case "Transfer-Encoding":
		s.coding = first(values)
		return optCoding
	case "Date":
		s.date = true
	case "Content-Encoding":
		s.encoding = first(values)
	case "Upgrade":
		s.upgrade = first(values) != ""
	case "Trailer":
		s.trailer = s.trailer || len(values) > 0
		s.announce(values)
	default:
		s.trailer = s.trailer || strings.HasPrefix(name, http.TrailerPrefix)
	}
	return optionals
}

// announce notes the names in Trailer.
func (s *sayings) announce(values []string) {
	for _, v := range values {
		elements(v, func(name string) {
			if name = http.CanonicalHeaderKey(name); !badTrailer(name) {
				s.trailers = append(s.trailers, name)
			}
		})
	}
}

// Size returns how many bytes it holds.
func (s *Snapshot) Size() int { return cap(s.text) }

// Coding returns the first Transfer-Encoding.
func (s *Snapshot) Coding() string { return s.said.coding }

// append appends the fields but for those that have a bit in without.
func (s *Snapshot) append(dst []byte, without uint8) []byte {
	at := 0
	for i, part := range s.optional {
		if without>>i&1 != 0 && part.end > part.from {
			dst = append(dst, s.text[at:part.from]...)
			at = part.end
		}
	}
	return append(dst, s.text[at:]...)
}

// appendFields appends the fields of a header in the order of their names.
func appendFields(dst []byte, header http.Header, without uint8) []byte {
	var s Snapshot
	s.Take(header)
	return s.append(dst, without)
}

// appendField appends a field whose value cannot end it: a CR or LF in it becomes a space.
func appendField(dst []byte, name, value string) []byte {
	dst = append(dst, name...)
	dst = append(dst, ": "...)
	from := len(dst)
	if n := len(value); n > 0 && (value[0] <= ' ' || value[n-1] <= ' ') {
		value = strings.Trim(value, " \t\r\n")
	}
	dst = append(dst, value...)
	for i, c := range dst[from:] {
		if c == '\r' || c == '\n' {
			dst[from+i] = ' '
		}
	}
	return append(dst, "\r\n"...)
}
