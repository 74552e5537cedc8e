package h1

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Append appends the head. ctype is the Content-Type if f.Sniff, and date the value of Date.
func (a *Answer) Append(dst []byte, f *Framing, ctype, date string) []byte {
	dst = appendProto(dst, a.Asked)
	dst = appendStatus(dst, a.Status)
	dst = append(dst, "\r\n"...)
	dst = a.header().append(dst, f.without)
	if !f.dated {
		dst = appendField(dst, "Date", date)
	}
	if f.counted {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, f.Length, 10)
		dst = append(dst, "\r\n"...)
	}
	if f.Sniff {
		dst = appendField(dst, "Content-Type", ctype)
	}
	if f.connection != "" {
		dst = appendField(dst, "Connection", f.connection)
	}
	if f.Chunked {
		dst = append(dst, "Transfer-Encoding: chunked\r\n"...)
	}
	return append(dst, "\r\n"...)
}

// AppendInformational appends a head of its own before that of the answer: 100 and 102 to 199.
func AppendInformational(dst []byte, asked Asked, status int, header http.Header) []byte {
	dst = appendProto(dst, asked)
	dst = appendStatus(dst, status)
	dst = append(dst, "\r\n"...)
	dst = appendFields(dst, header, withoutLength|withoutCoding)
	return append(dst, "\r\n"...)
}

// AppendChunk appends what goes before n bytes of content, n > 0, in a chunked answer. A CRLF
// follows them.
func AppendChunk(dst []byte, n int) []byte {
	dst = strconv.AppendInt(dst, int64(n), 16)
	return append(dst, "\r\n"...)
}

// AppendTrailer appends the end of a chunked answer. header is the handler's as it is then:
// of it go the fields of names, which is Framing.Trailers, and those with http.TrailerPrefix.
func AppendTrailer(dst []byte, header http.Header, names []string) []byte {
	dst = append(dst, "0\r\n"...)
	var last http.Header
	add := func(name string, values []string) {
		if last == nil {
			last = http.Header{}
		}
		last[name] = append(last[name], values...)
	}
	for name, values := range header {
		if name, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			add(name, values)
		}
	}
	for _, name := range names {
		add(name, header[name])
	}
	dst = appendFields(dst, last, 0)
	return append(dst, "\r\n"...)
}

func appendProto(dst []byte, asked Asked) []byte {
	if asked.Minor < 1 {
		return append(dst, "HTTP/1.0 "...)
	}
	return append(dst, "HTTP/1.1 "...)
}

func appendStatus(dst []byte, status int) []byte {
	dst = strconv.AppendInt(dst, int64(status), 10)
	if text := http.StatusText(status); text != "" {
		dst = append(dst, ' ')
		return append(dst, text...)
	}
	dst = append(dst, " status code "...)
	return strconv.AppendInt(dst, int64(status), 10)
}

// AppendDate appends t as Date has it (RFC 9110 §5.6.7). It is the same for a second.
func AppendDate(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, http.TimeFormat)
}
