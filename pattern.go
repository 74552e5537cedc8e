package nextrush

import (
	"cmp"
	"fmt"
	"strings"
	"unicode"
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

// pattern is a parsed path. Two patterns with the same canonical form match the
// same paths.
type pattern struct {
	path      string
	canonical string // with ":p" and "*p" for all names
	names     []string
	segments  []segment
}

// setPattern parses a path and panics on a mistake in it.
func (p *pattern) setPattern(path string) {
	p.path = path
	if strings.Contains(path, "\x00") {
		panic(fmt.Sprintf("nextrush: %q: a path has no NUL: take it out", path))
	}
	texts := strings.Split(path[1:], "/")
	var canonical strings.Builder
	for i, text := range texts {
		s, name := parseSegment(path, text)
		if s.kind == catchAllSegment && i < len(texts)-1 {
			panic(fmt.Sprintf("nextrush: %q: move *%s to the end, for a catch-all takes all that follows", path, name))
		}
		canonical.WriteString("/" + s.static + [...]string{"", ":p", "*p"}[s.kind])
		p.segments = append(p.segments, s)
		if s.kind != staticSegment {
			p.addName(name)
		}
	}
	p.canonical = canonical.String()
}

func (p *pattern) endsInCatchAll() bool {
	return p.segments[len(p.segments)-1].kind == catchAllSegment
}

func (p *pattern) addName(name string) {
	for _, other := range p.names {
		if other == name {
			panic(fmt.Sprintf("nextrush: %q: parameter %q comes twice: rename one", p.path, name))
		}
	}
	p.names = append(p.names, name)
}

func parseSegment(path, text string) (s segment, name string) {
	if strings.HasPrefix(text, "{") && strings.HasSuffix(text, "}") {
		panic(fmt.Sprintf("nextrush: %q: write :name for a parameter and *name for a catch-all, not %s", path, text))
	}
	i := strings.IndexAny(text, ":*")
	if i < 0 {
		return segment{staticSegment, text}, ""
	}
	name = text[i+1:]
	if name == "" || strings.ContainsAny(name, ":*") {
		panic(fmt.Sprintf("nextrush: %q: a segment has at most one parameter, and it needs a name", path))
	}
	if strings.ContainsFunc(name, notInName) {
		panic(fmt.Sprintf("nextrush: %q: %q is no name: a parameter ends with its segment and has no pattern or mark of its own", path, name))
	}
	if text[i] == ':' {
		return segment{paramSegment, text[:i]}, name
	}
	if i > 0 {
		panic(fmt.Sprintf("nextrush: %q: a catch-all must follow a slash: write /*%s", path, name))
	}
	return segment{catchAllSegment, ""}, name
}

// notInName reports what a name may not hold: Express's "?", "+" and "(…)", and text
// after a parameter, would be taken for parts of it.
func notInName(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
}

// compare orders patterns by precedence: the first difference decides, static
// before a parameter, a longer static part of it before a shorter one, both
// before a catch-all.
func (p *pattern) compare(q *pattern) int {
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
func (p *pattern) overlaps(q *pattern) bool {
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
func (p *pattern) shareTree(q *pattern) bool {
	a, b := p.canonical, q.canonical
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
