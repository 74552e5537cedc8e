// Package urlpath reads the path of a request as routes see it: decoded, while a slash
// that the client has encoded stays a part of its segment (RFC 3986 §2.2).
package urlpath

import (
	"net/url"
	"path"
	"slices"
	"strings"
)

// Path is a decoded path. Where it is Held, NUL is an escape in its Text: "\x00\x01"
// stands for a slash that was encoded, "\x00\x00" for a NUL. No slash of Text is one
// that was encoded.
type Path struct {
	Text string
	Held bool
}

var (
	hold    = strings.NewReplacer("%2F", "%00%01", "%2f", "%00%01", "%00", "%00%00")
	open    = strings.NewReplacer("\x00\x01", "/", "\x00\x00", "\x00\x00")
	decode  = strings.NewReplacer("\x00\x01", "/", "\x00\x00", "\x00")
	release = strings.NewReplacer("%00%01", "%2F", "%00%00", "%00")
)

// Of returns the path of u. Only one with an encoded slash is Held.
func Of(u *url.URL) Path {
	if u.RawPath == "" { // as it is if the usual encoding of Path is what was sent
		return Path{Text: u.Path}
	}
	return held(u)
}

func held(u *url.URL) Path {
	raw := u.EscapedPath()
	if raw != u.RawPath || !strings.Contains(raw, "%2F") && !strings.Contains(raw, "%2f") {
		return Path{Text: u.Path}
	}
	text, err := url.PathUnescape(hold.Replace(raw))
	if err != nil {
		return Path{Text: u.Path}
	}
	return Path{text, true}
}

// Decoded returns the path with all its slashes.
func (p Path) Decoded() string {
	if !p.Held {
		return p.Text
	}
	return Decode(p.Text)
}

// Clean is the path as a file server cleans it: of its own slashes first, and then, if
// that changes nothing, of those that were encoded.
func (p Path) Clean() Path {
	if text := clean(p.Text); text != p.Text {
		return Path{Text: text, Held: p.Held}
	}
	if decoded := p.Decoded(); clean(decoded) != decoded {
		return Path{Text: clean(decoded)}
	}
	return p
}

// clean is path.Clean that leaves a slash at the end. A path that begins with a slash
// begins with exactly one then.
func clean(p string) string {
	if p == "" || p[0] != '/' {
		return p
	}
	clean := path.Clean(p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

// Followed is the path as one takes it who knows no encoded slashes, for whom backslashes
// are slashes, and who cuts what follows a semicolon in a segment: without dots, and
// without a slash at the end.
func (p Path) Followed() string {
	text := strings.ReplaceAll(p.Decoded(), `\`, "/")
	if strings.Contains(text, ";") {
		segments := strings.Split(text, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		text = strings.Join(segments, "/")
	}
	if text == "" || text[0] != '/' {
		text = "/" + text
	}
	return path.Clean(text)
}

// After is an encoded path without its first n segments.
func After(path string, n int) string {
	parts := strings.SplitN(path, "/", n+2)
	if len(parts) < n+2 {
		return "/"
	}
	return "/" + parts[n+1]
}

// TrimSlashes removes the slashes at the start of a text such as p's, and those that
// were encoded.
func (p Path) TrimSlashes(text string) string {
	for {
		rest := strings.TrimLeft(text, "/")
		if p.Held {
			rest = strings.TrimPrefix(rest, "\x00\x01")
		}
		if rest == text {
			return text
		}
		text = rest
	}
}

// Set makes p the path of u.
func (p Path) Set(u *url.URL) {
	u.Path, u.RawPath = p.Decoded(), ""
	if p.Held {
		u.RawPath = release.Replace((&url.URL{Path: p.Text}).EscapedPath())
	}
}

// Decode returns what a part of the Text of a Held path stands for.
func Decode(text string) string { return decode.Replace(text) }

// Open returns a part of the Text of a Held path with its encoded slashes as those
// that separate segments.
func Open(text string) string { return open.Replace(text) }

// HasDots reports a segment that some system takes for "." or "..": Windows splits at
// backslashes too, and Java servers cut what follows a semicolon.
func HasDots(path string) bool {
	if strings.IndexByte(path, '.') < 0 {
		return false
	}
	segments := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	return slices.ContainsFunc(segments, func(s string) bool {
		name, _, _ := strings.Cut(s, ";")
		return name == "." || name == ".."
	})
}
