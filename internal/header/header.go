// Package header reads and writes the values of HTTP headers: texts come in, values
// go out.
package header

import (
	"fmt"
	"mime"
	"strings"
)

// HasToken reports whether a list has a token, in letters of either case.
func HasToken(lines []string, token string) bool {
	for _, line := range lines {
		for t := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(t), token) {
				return true
			}
		}
	}
	return false
}

// MediaType is the media type of a Content-Type, in small letters and without its
// parameters. It is empty if the value is malformed.
func MediaType(contentType string) string {
	if contentType == "application/json" {
		return contentType
	}
	t, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return ""
	}
	return t
}

// IsType reports whether a media type is the one that somebody wants:
// "application/json", "text/*", or short "json", which "application/problem+json" is
// too.
func IsType(have, want string) bool {
	want = strings.ToLower(want)
	if have == "" {
		return false
	}
	if prefix, ok := strings.CutSuffix(want, "/*"); ok {
		return strings.HasPrefix(have, prefix+"/")
	}
	if strings.Contains(want, "/") {
		return have == want
	}
	switch want {
	case "form":
		return have == "application/x-www-form-urlencoded"
	case "multipart":
		return strings.HasPrefix(have, "multipart/")
	}
	_, sub, _ := strings.Cut(have, "/")
	return sub == want || strings.HasSuffix(sub, "+"+want)
}

// TypeByName is a media type for a Content-Type, given as such or as a file extension:
// "json", ".png".
func TypeByName(name string) string {
	if strings.Contains(name, "/") {
		return name
	}
	t := mime.TypeByExtension("." + strings.TrimPrefix(name, "."))
	if t == "" {
		return "application/octet-stream"
	}
	return t
}

// Location is a URL for the header of that name: what has no place in one, a backslash
// or a control character say, is escaped.
func Location(url string) string {
	var b strings.Builder
	for _, ch := range []byte(url) {
		if ch <= ' ' || ch >= 0x7f || strings.IndexByte("\\\"<>^`{|}", ch) >= 0 {
			fmt.Fprintf(&b, "%%%02X", ch)
			continue
		}
		b.WriteByte(ch)
	}
	return b.String()
}
