package servertest

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
)

// noteRequest notes all that a handler can see of a request before it reads the body; what
// is as usual is left out.
func (p *play) noteRequest(r *http.Request) {
	p.note("%s %s %s host %s", plain(r.Method), plain(r.RequestURI), r.Proto, plain(r.Host))
	if v := fmt.Sprintf("HTTP/%d.%d", r.ProtoMajor, r.ProtoMinor); v != r.Proto {
		p.note("  version %s", v)
	}
	if u := urlFields(r.URL); u != "path "+plain(r.RequestURI) {
		p.note("  url %s", u)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		p.note("  %s: %s", shortName(name), list(r.Header[name]))
	}
	if r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
		p.note("  length %d, transfer encoding %q", r.ContentLength, r.TransferEncoding)
	}
	if r.Trailer != nil {
		p.note("  trailer %s", headerFields(r.Trailer))
	}
	for _, odd := range oddities(p, r) {
		p.note("  %s", odd)
	}
}

// oddities are what is not as it is in nearly all requests.
func oddities(p *play, r *http.Request) (odd []string) {
	is := func(yes bool, what string) {
		if yes {
			odd = append(odd, what)
		}
	}
	is(r.Close, "close")
	is(r.Body == nil, "body nil")
	is((r.Body == http.NoBody) != (r.ContentLength == 0), "Body and ContentLength disagree")
	is(r.GetBody != nil, "GetBody")
	is(r.Form != nil || r.PostForm != nil || r.MultipartForm != nil, "form")
	is(r.TLS != nil, "TLS")
	is(r.Pattern != "", "pattern")
	is(r.Response != nil, "response")
	is(!slices.ContainsFunc(p.links, func(l *link) bool { return l.LocalAddr().String() == r.RemoteAddr }), "remote address "+r.RemoteAddr)
	return odd
}

func urlFields(u *url.URL) string {
	var b strings.Builder
	field := func(name, value string) {
		if value != "" {
			b.WriteString(" " + name + " " + plain(value))
		}
	}
	field("scheme", u.Scheme)
	field("opaque", u.Opaque)
	field("user", u.User.String())
	field("host", u.Host)
	field("path", u.Path)
	field("raw path", u.RawPath)
	field("query", u.RawQuery)
	field("fragment", u.Fragment)
	field("raw fragment", u.RawFragment)
	if u.ForceQuery {
		b.WriteString(" ?")
	}
	if u.OmitHost {
		b.WriteString(" omit host")
	}
	return strings.TrimSpace(b.String())
}

func headerFields(h http.Header) string {
	var fields []string
	for _, name := range slices.Sorted(maps.Keys(h)) {
		fields = append(fields, name+": "+list(h[name]))
	}
	return "[" + strings.Join(fields, "; ") + "]"
}

func list(values []string) string {
	shown := make([]string, len(values))
	for i, v := range values {
		shown[i] = plain(v)
	}
	if len(shown) > 20 {
		return fmt.Sprintf("%d values, %s", len(shown), plain(strings.Join(shown, ", ")))
	}
	return strings.Join(shown, ", ")
}

func shortName(name string) string {
	if len(name) > longest {
		return plain(name)
	}
	return name
}

// plain is a text in quotes; a long one is shortened.
func plain(s string) string {
	if len(s) > longest {
		return renderLine(s + "\r\n")
	}
	return fmt.Sprintf("%+q", s)
}

// noteBody reads the body and notes it with what comes after it.
func (p *play) noteBody(r *http.Request) {
	b, err := io.ReadAll(r.Body)
	p.note("  body %s %s", plain(string(b)), errText(err))
	if len(r.Trailer) > 0 {
		p.note("  trailer %s", headerFields(r.Trailer))
	}
}

// errText names the kind of an error; what package http does not export has no kind.
func errText(err error) string {
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return "EOF"
	case strings.Contains(err.Error(), "unexpected EOF"):
		return "error: unexpected EOF"
	case errors.Is(err, http.ErrBodyReadAfterClose):
		return "error: " + err.Error()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "error: time-out"
	case errors.As(err, &tooLarge):
		return fmt.Sprintf("error: more than %d bytes", tooLarge.Limit)
	}
	return "error"
}

var (
	addresses = regexp.MustCompile(`127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?|@[0-9a-f]*(->@?[0-9a-f]*)?`)
	place     = regexp.MustCompile(`\([^ ()]*\.go:\d+\)`)
	stack     = regexp.MustCompile(`^(goroutine \d|\t|created by |panic\(|[\w./*()-]+\.[\w.*()\[\]]+\(.*\)$)`)
)

// tidyLog leaves out addresses, places and stacks.
func tidyLog(line string) string {
	text := strings.TrimSuffix(line, "\n")
	if text == "" || stack.MatchString(text) {
		return ""
	}
	text = addresses.ReplaceAllString(text, "ADDRESS")
	return place.ReplaceAllString(text, "(PLACE)") + "\n"
}
