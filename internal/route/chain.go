package route

import "github.com/nextrush/nextrush/internal/urlpath"

// Use is handlers for all paths, or for those under a prefix.
type Use[H any] struct {
	Prefix   *Prefix // nil: all
	Handlers []H
}

// Under returns the Use for what is mounted at a path.
func (u Use[H]) Under(base string) (Use[H], error) {
	if u.Prefix == nil || base == "" {
		return u, nil
	}
	p, err := ParsePrefix(base + u.Prefix.Path())
	return Use[H]{p, u.Handlers}, err
}

// Always are the handlers that run for every path that a pattern matches.
func Always[H any](q *Pattern, uses []Use[H]) (handlers []H) {
	for _, u := range uses {
		all := u.Prefix == nil
		if !all {
			all, _ = u.Prefix.Covers(q)
		}
		if all {
			handlers = append(handlers, u.Handlers...)
		}
	}
	return handlers
}

// Chain is the handlers for the paths that a pattern matches.
type Chain[H any] struct {
	Handlers []H // that run for each of them
	Guards   []Guard[H]
}

// Guard is handlers for some of the paths, or with parameters of their own.
type Guard[H any] struct {
	use Use[H]
	at  int // how many of the chain's Handlers run before
}

// NewChain makes the chain of a pattern, or of paths that no pattern matches.
func NewChain[H any](q *Pattern, uses []Use[H]) (c Chain[H]) {
	for _, u := range uses {
		all, some := u.Prefix == nil, true
		if !all && q != nil {
			all, some = u.Prefix.Covers(q)
		}
		switch {
		case all && (u.Prefix == nil || len(u.Prefix.Names()) == 0):
			c.Handlers = append(c.Handlers, u.Handlers...)
		case some:
			c.Guards = append(c.Guards, Guard[H]{u, len(c.Handlers)})
		}
	}
	return c
}

// Scope is the parameters of a prefix.
type Scope struct {
	names  []string
	params Params
}

// Param returns a parameter; ok is false if the prefix has none of that name.
func (s *Scope) Param(name string) (value string, ok bool) {
	for i, n := range s.names {
		if n == name {
			return s.params.At(i), true
		}
	}
	return "", false
}

// On returns the handlers for a path, those of its guards among them; ok is false if
// there are none of these. scoped gives handlers their parameters.
func (c *Chain[H]) On(path urlpath.Path, scoped func(*Scope, []H) []H) (handlers []H, ok bool) {
	from := 0
	for _, g := range c.Guards {
		params, ok := g.use.Prefix.Match(path)
		if !ok {
			continue
		}
		handlers = append(handlers, c.Handlers[from:g.at]...)
		from = g.at
		if names := g.use.Prefix.Names(); len(names) > 0 {
			handlers = append(handlers, scoped(&Scope{names, params}, g.use.Handlers)...)
		} else {
			handlers = append(handlers, g.use.Handlers...)
		}
	}
	return append(handlers, c.Handlers[from:]...), handlers != nil
}
