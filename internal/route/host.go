package route

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"unicode"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// A host is looked up as a path of its labels from the last to the first, so that it has
// the same precedence: "api.example.com" is "/com/example/api", ":tenant.example.com"
// "/com/example/:tenant", and "*rest.example.com" "/com/example/*rest".

// ParseHost reads the pattern of a host, as one for what HostPath returns. An error names
// the mistake in it and how to correct it.
func ParseHost(host string) (*Pattern, error) {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for i, label := range labels {
		static, name := label, ""
		if at := strings.IndexAny(label, ":*"); at >= 0 {
			static, name = label[:at], label[at:]
		}
		static = strings.ToLower(static)
		if label == "" || strings.ContainsFunc(static, notInHost) || !isHostParam(name, i == 0 && static == "") {
			return nil, fmt.Errorf("%q: write a host in ASCII and without scheme, port and path, as in %q, %q or %q",
				host, "api.example.com", ":tenant.example.com", "*.example.com")
		}
		labels[i] = static + name
	}
	if labels[0] == "*" {
		labels[0] = "*" + unnamed
	}
	slices.Reverse(labels)
	p, err := Parse("/" + strings.Join(labels, "/"))
	if err != nil {
		return nil, err
	}
	p.Path = host
	return p, nil
}

// isHostParam reports whether a text is ":name", or may be "*name" or "*", and not a port.
func isHostParam(text string, first bool) bool {
	if text == "" || text == "*" {
		return text == "" || first
	}
	name := text[1:]
	return (text[0] == ':' || first) && name != "" && !unicode.IsDigit(rune(name[0])) && !strings.ContainsFunc(name, notInName)
}

const unnamed = "-"

// notInHost reports what no label of a host has, in small letters.
func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

// HostPath is the path of a host, with or without port. It is "" for one that no pattern
// matches.
func HostPath(host string) urlpath.Path {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	labels := strings.Split(strings.TrimSuffix(strings.ToLower(host), "."), ".")
	for _, label := range labels {
		if label == "" || strings.ContainsFunc(label, notInHost) {
			return urlpath.Path{}
		}
	}
	slices.Reverse(labels)
	return urlpath.Path{Text: "/" + strings.Join(labels, "/")}
}

// hostParams makes labels of a host of the segments that a catch-all has.
func (p *Pattern) hostParams(params Params) Params {
	if last := len(params) - 1; last >= 0 && p.endsInCatchAll() {
		labels := strings.Split(params[last].Value, "/")
		slices.Reverse(labels)
		params[last].Value = strings.Join(labels, ".")
	}
	return params
}

// On returns the pattern of a path on hosts, whose parameters come before its own.
func (p *Pattern) On(host *Pattern) (*Pattern, error) {
	if host == nil {
		return p, nil
	}
	for _, name := range host.Names {
		if slices.Contains(p.Names, name) {
			return nil, fmt.Errorf("%q: parameter %q is in the host %q too: rename one", p.Path, name, host.Path)
		}
	}
	q := *p
	q.Names, q.hosted = slices.Concat(host.Names, p.Names), len(host.Names)
	return &q, nil
}
