package h1

import (
	"bytes"
	"net/url"
	"strings"
)

// A line is what is known of a request line.
type line struct {
	method, target, end int // where they end
	major, minor        int
	url                 *url.URL // of a target that is not a plain path
}

// read reads a request line without its CRLF (RFC 9112 §3).
func (l *line) read(b []byte) error {
	method, rest, ok1 := bytes.Cut(b, space)
	target, proto, ok2 := bytes.Cut(rest, space)
	if !ok1 || !ok2 {
		return errLine
	}
	if !isToken(method) {
		return errMethod
	}
	var ok bool
	if l.major, l.minor, ok = version(proto); !ok {
		return errVersion
	}
	if string(method) == "CONNECT" || string(b) == "PRI * HTTP/2.0" {
		return ErrElsewhere
	}
	if string(target) == "*" && string(method) != "OPTIONS" {
		return errAsterisk
	}
	l.method, l.end = len(method), len(b)
	l.target = l.method + 1 + len(target)
	return l.readTarget(target)
}

var space = []byte(" ")

// version reads HTTP/x.y (RFC 9112 §2.3).
func version(b []byte) (major, minor int, ok bool) {
	if len(b) != len("HTTP/x.y") || string(b[:5]) != "HTTP/" || b[6] != '.' {
		return 0, 0, false
	}
	major, minor = int(b[5])-'0', int(b[7])-'0'
	return major, minor, uint(major) < 10 && uint(minor) < 10
}

// readTarget checks the target. One with a path of plain bytes is split when it is wanted;
// all others are for package url.
func (l *line) readTarget(b []byte) (err error) {
	path, query, _ := bytes.Cut(b, question)
	if len(path) > 0 && path[0] == '/' && all(path, pathChar) && all(query, visibleChar) {
		return nil
	}
	if l.url, err = url.ParseRequestURI(string(b)); err != nil {
		return errTarget
	}
	if !all(b, visibleChar) {
		return errTargetByte
	}
	return nil
}

var question = []byte("?")

// fill makes u the URL of the target.
func (l *line) fill(u *url.URL, target string) {
	if l.url != nil {
		*u = *l.url
		return
	}
	path, query, found := strings.Cut(target, "?")
	*u = url.URL{Path: path, RawQuery: query, ForceQuery: found && query == ""}
}
