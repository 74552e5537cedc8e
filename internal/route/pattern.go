// Package route finds the entry for a method and a path among those that patterns
// such as "/users/:id" are given for.
package route

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/nextrush/nextrush/internal/urlpath"
)

type segmentKind uint8

// In order of precedence.
const (
	staticSegment segmentKind = iota
	paramSegment
	catchAllSegment
)

// segment is what stands between two slashes: static text, static text and a
// parameter, or a catch-all.
type segment struct {
	kind   segmentKind
	static string
}

// Pattern is a parsed path. Two patterns with the same Canonical match the same paths.
type Pattern struct {
	Path      string   // as it was written
	Canonical string   // with ":p" and "*p" for all names
	Names     []string // of the parameters, in their order
	hosted    int      // how many of them are the host's
	segments  []segment
}

// Parse reads a path, which begins with a slash. An error names the mistake in it and
// how to correct it.
func Parse(path string) (*Pattern, error) {
	if strings.Contains(path, "\x00") {
		return nil, fmt.Errorf("%q: a path has no NUL: take it out", path)
	}
	p := &Pattern{Path: path}
	texts := strings.Split(path[1:], "/")
	var canonical strings.Builder
	for i, text := range texts {
		s, name, err := parseSegment(text)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%q: %w", path, err)
		case s.kind == catchAllSegment && i < len(texts)-1:
			return nil, fmt.Errorf("%q: move *%s to the end, for a catch-all takes all that follows", path, name)
		case slices.Contains(p.Names, name):
			return nil, fmt.Errorf("%q: parameter %q comes twice: rename one", path, name)
		}
		canonical.WriteString("/" + s.static + [...]string{"", ":p", "*p"}[s.kind])
		p.segments = append(p.segments, s)
		if s.kind != staticSegment {
			p.Names = append(p.Names, name)
		}
	}
	p.Canonical = canonical.String()
	return p, nil
}

// Segments is how many segments the path has.
func (p *Pattern) Segments() int { return len(p.segments) }

func (p *Pattern) isStatic() bool { return len(p.Names) == p.hosted }

func (p *Pattern) endsInCatchAll() bool {
	return p.segments[len(p.segments)-1].kind == catchAllSegment
}

func parseSegment(text string) (s segment, name string, err error) {
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		return s, "", fmt.Errorf("write :name for a parameter and *name for a catch-all, not %s", text)
	}
	i := strings.IndexAny(text, ":*")
	if i < 0 {
		return segment{staticSegment, text}, "", nil
	}
	name = text[i+1:]
	switch {
	case name == "" || strings.ContainsAny(name, ":*"):
		return s, "", errors.New("a segment has at most one parameter, and it needs a name")
	case strings.ContainsFunc(name, notInName):
		return s, "", fmt.Errorf("%q is not a name: a parameter ends with its segment and has no pattern or mark of its own", name)
	case text[i] == ':':
		return segment{paramSegment, text[:i]}, name, nil
	case i > 0:
		return s, "", fmt.Errorf("a catch-all must follow a slash: write /*%s", name)
	}
	return segment{catchAllSegment, ""}, name, nil
}

// notInName reports what a name may not hold: Express's "?", "+" and "(…)", and text
// after a parameter, would be taken for parts of it.
func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
}

// compare orders patterns by precedence: the first difference decides, static
// before a parameter, a longer static part of it before a shorter one, both
// before a catch-all.
func (p *Pattern) compare(q *Pattern) int {
	for i := range min(len(p.segments), len(q.segments)) {
		if c := p.segments[i].compare(q.segments[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(p.segments), len(q.segments))
}

func (s segment) compare(t segment) int {
	if s.kind != t.kind {
		return cmp.Compare(s.kind, t.kind)
	}
	if c := cmp.Compare(len(t.static), len(s.static)); c != 0 {
		return c
	}
	return cmp.Compare(s.static, t.static)
}

// overlaps reports whether some path is matched by both.
func (p *Pattern) overlaps(q *Pattern) bool {
	for i := range min(len(p.segments), len(q.segments)) {
		s, t := p.segments[i], q.segments[i]
		if s.kind == catchAllSegment || t.kind == catchAllSegment {
			return true
		}
		if !s.overlaps(t) {
			return false
		}
	}
	return len(p.segments) == len(q.segments)
}

func (s segment) overlaps(t segment) bool {
	switch {
	case s.kind == staticSegment && t.kind == staticSegment:
		return s.static == t.static
	case s.kind == staticSegment:
		return strings.HasPrefix(s.static, t.static) && len(s.static) > len(t.static)
	case t.kind == staticSegment:
		return t.overlaps(s)
	}
	return strings.HasPrefix(s.static, t.static) || strings.HasPrefix(t.static, s.static)
}

// shareTree reports whether httprouter takes both into one tree: where they
// differ first, neither may have a parameter, and a catch-all must not follow
// the end of the other.
func (p *Pattern) shareTree(q *Pattern) bool {
	a, b := p.Canonical, q.Canonical
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	rest := a[n:] + b[n:]
	switch {
	case rest == "":
		return false
	case n == len(a) || n == len(b):
		return rest[0] != '*'
	}
	return !strings.ContainsRune(":*", rune(a[n])) && !strings.ContainsRune(":*", rune(b[n]))
}

// Fill returns the path with the parameters in their order in place, escaped. A missing,
// empty or surplus one is an error, and so is one that no request could have: with ".."
// as a segment, say.
func (p *Pattern) Fill(params []any) (string, error) {
	if n := len(p.Names) - p.hosted; len(params) != n {
		return "", fmt.Errorf("%s needs %d parameters, got %d", p.Path, n, len(params))
	}
	var b strings.Builder
	for _, s := range p.segments {
		b.WriteString(escapePath("/" + s.static))
		if s.kind == staticSegment {
			continue
		}
		text := fmt.Sprint(params[0])
		params = params[1:]
		switch {
		case s.kind == catchAllSegment:
			text = escapePath("/" + strings.TrimPrefix(text, "/"))[1:]
		case text == "":
			return "", fmt.Errorf("a parameter of %s is empty", p.Path)
		case urlpath.HasDots(text):
			return "", fmt.Errorf("a parameter of %s is %q: no segment of it may be a dot or two", p.Path, text)
		default:
			text = url.PathEscape(text)
		}
		b.WriteString(text)
	}
	return onThisHost(b.String()), nil
}

func escapePath(path string) string { return (&url.URL{Path: path}).EscapedPath() }

// onThisHost encodes a slash that a browser would take for the start of a host.
func onThisHost(path string) string {
	if rest, ok := strings.CutPrefix(path, "//"); ok {
		return "/%2F" + rest
	}
	return path
}
