package main

import (
	"html"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// adapt has browsers ask again for what they have got, for it may change at any time, and a
// page load the script.
func adapt(res *http.Response, src string) {
	h := res.Header
	if strings.Contains(h.Get("Cache-Control"), "max-age") {
		h.Set("Cache-Control", "no-cache")
	}
	if !isPage(res) {
		return
	}
	nonce := letIn(h["Content-Security-Policy"], res.Request.Host)
	if nonce != "" {
		nonce = ` nonce="` + html.EscapeString(nonce) + `"`
	}
	tag := `<script src="` + src + `"` + nonce + `></script>` + "\n"
	res.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(res.Body, strings.NewReader(tag)), res.Body}
	if res.ContentLength >= 0 {
		res.ContentLength += int64(len(tag))
		h.Set("Content-Length", strconv.FormatInt(res.ContentLength, 10))
	}
	h.Del("ETag")
	h.Del("Last-Modified")
}

// isPage reports an answer to which text can be added that a browser reads as HTML. What
// stands after the end of a page belongs to its body.
func isPage(res *http.Response) bool {
	kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	return kind == "text/html" && navigates(res.Request) && res.Request.Method != http.MethodHead &&
		res.ContentLength != 0 && res.StatusCode != http.StatusPartialContent && res.Header.Get("Content-Encoding") == ""
}

// letIn changes policies so that they let the script and its socket in, and nothing else. It
// returns the nonce that the script has to have, if there is one.
func letIn(policies []string, host string) (nonce string) {
	for i, header := range policies {
		all := strings.Split(header, ",")
		for j := range all {
			directives := strings.Split(all[j], ";")
			if n := allow(directives, host+scriptPath, "script-src-elem", "script-src", "default-src"); n != "" {
				nonce = n
			}
			allow(directives, "ws://"+host+socketPath, "connect-src", "default-src")
			all[j] = strings.Join(directives, ";")
		}
		policies[i] = strings.Join(all, ",")
	}
	return nonce
}

// allow adds a source to the first of the directives that there is (CSP 3, section 6.8),
// unless that lets it in already, or has a nonce, which it returns.
func allow(directives []string, source string, names ...string) (nonce string) {
	for _, name := range names {
		i := slices.IndexFunc(directives, func(d string) bool {
			words := strings.Fields(d)
			return len(words) > 0 && strings.EqualFold(words[0], name)
		})
		if i < 0 {
			continue
		}
		words := strings.Fields(directives[i])
		for _, w := range words {
			if n, ok := strings.CutPrefix(w, "'nonce-"); ok {
				return strings.TrimSuffix(n, "'")
			}
		}
		if slices.Contains(words, "'self'") || slices.Contains(words, "*") {
			return ""
		}
		words = slices.DeleteFunc(words, func(w string) bool { return strings.EqualFold(w, "'none'") })
		directives[i] = " " + strings.Join(append(words, source), " ")
		return ""
	}
	return ""
}
