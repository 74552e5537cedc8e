package route

import (
	"fmt"
	"strings"

	"github.com/julienschmidt/httprouter"

	"github.com/nextrush/nextrush/internal/urlpath"
)

// Prefix stands for a path and all paths below it: "/api" for itself, "/api/" and
// "/api/users", but not for "/apis".
type Prefix struct{ pattern *Pattern }

// ParsePrefix reads a path, which begins with a slash and does not end with one.
func ParsePrefix(path string) (*Prefix, error) {
	p, err := Parse(path)
	switch {
	case err != nil:
		return nil, err
	case p.endsInCatchAll():
		return nil, fmt.Errorf("%q: leave /*%s out, for a prefix takes all that follows", path, p.Names[len(p.Names)-1])
	}
	return &Prefix{p}, nil
}

// Path returns the prefix as it was written.
func (p *Prefix) Path() string { return p.pattern.Path }

// Names are those of its parameters, in their order.
func (p *Prefix) Names() []string { return p.pattern.Names }

// Match reports whether a path is under the prefix, and its parameters. A path is under
// it if that is so for any reader, since the prefix may be guarded: in capital or small
// letters, with a slash that was encoded, with two, with a backslash for one, or with
// dots that lead there (see [urlpath.Path.Followed]).
func (p *Prefix) Match(path urlpath.Path) (Params, bool) {
	if params, ok := p.match(path); ok {
		return params, true
	}
	return p.match(urlpath.Path{Text: path.Followed()})
}

func (p *Prefix) match(path urlpath.Path) (params Params, ok bool) {
	text := path.Text
	for _, s := range p.pattern.segments {
		if text == "" || text[0] != '/' {
			return nil, false
		}
		var part string
		if end := strings.IndexByte(text[1:], '/'); end < 0 {
			part, text = text[1:], ""
		} else {
			part, text = text[1:1+end], text[1+end:]
		}
		value, ok := s.match(part)
		if ok && s.kind == paramSegment {
			value = urlpath.Path{Text: value, Held: path.Held}.Decoded()
			params = append(params, httprouter.Param{Value: value})
		}
		if !ok || urlpath.HasDots(value) {
			return nil, false
		}
	}
	return params, true
}

// match reports whether the text is the segment's, in capital or small letters, and what
// it has for the parameter.
func (s segment) match(text string) (value string, ok bool) {
	if s.kind == staticSegment {
		return "", strings.EqualFold(text, s.static)
	}
	n := len(s.static)
	if len(text) <= n || !strings.EqualFold(text[:n], s.static) {
		return "", false
	}
	return text[n:], true
}

// Covers reports whether all, and whether some of the paths that a pattern matches are
// under the prefix. It says some where it does not know.
func (p *Prefix) Covers(q *Pattern) (all, some bool) {
	if q.isStatic() {
		_, all = p.Match(urlpath.Path{Text: q.Path})
		return all, all
	}
	for i, s := range p.pattern.segments {
		if i == len(q.segments) || s.kind != staticSegment || q.segments[i].kind != staticSegment {
			return false, true
		}
		if !strings.EqualFold(s.static, q.segments[i].static) {
			return false, q.endsInCatchAll() // whose value may have dots, other than that of a parameter
		}
	}
	return true, true
}
