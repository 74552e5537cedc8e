package jsonschema

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// name is that of the type, in letters that keys of components and TypeScript have;
// of several that would have it, the later ones get their use, their package or a
// number with it.
func (g *Generator) name(k key) string {
	plain := identifier(withoutPaths(k.t.Name()))
	use := "Output"
	if k.Input {
		use = "Input"
	}
	for _, n := range []string{plain, plain + use, identifier(path.Base(k.t.PkgPath())) + "_" + plain + use} {
		if !g.taken(n) {
			return n
		}
	}
	for i := 2; ; i++ {
		if n := plain + use + strconv.Itoa(i); !g.taken(n) {
			return n
		}
	}
}

func (g *Generator) taken(name string) bool {
	return slices.ContainsFunc(g.list, func(c *component) bool { return c.name == name })
}

// identifier begins with a capital letter and has but letters, digits and "_" of
// ASCII.
func identifier(name string) string {
	name = strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' {
			return r
		}
		return '_'
	}, name)
	return strings.ToUpper(name[:1]) + name[1:]
}

// withoutPaths removes the import paths from the arguments of a generic type.
func withoutPaths(name string) string {
	var b strings.Builder
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("[],* ", r) }) {
		if b.Len() > 0 {
			b.WriteByte('_')
		}
		b.WriteString(part[strings.LastIndexAny(part, "./")+1:])
	}
	return b.String()
}
