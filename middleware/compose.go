package middleware

import (
	"slices"

	"github.com/nextrush/nextrush"
)

// Only runs h for the requests that match, and for the others what follows.
func Only(match func(*nextrush.Context) bool, h nextrush.Handler) nextrush.Handler {
	mustCompose("Only", match != nil && h != nil)
	return func(c *nextrush.Context) error {
		if match(c) {
			return h(c)
		}
		return c.Next()
	}
}

// Skip runs h for the requests that do not match, and for the others what
// follows.
func Skip(match func(*nextrush.Context) bool, h nextrush.Handler) nextrush.Handler {
	mustCompose("Skip", match != nil && h != nil)
	return Only(func(c *nextrush.Context) bool { return !match(c) }, h)
}

// Chain makes one handler of several, each of which calls Next for the one after
// it, and the last for what follows. It is for Only and Skip: Use and the routes
// take several as they are, which costs less.
func Chain(handlers ...nextrush.Handler) nextrush.Handler {
	mustCompose("Chain", !slices.ContainsFunc(handlers, func(h nextrush.Handler) bool { return h == nil }))
	handlers = slices.Clone(handlers)
	return func(c *nextrush.Context) error { return c.Run(handlers...) }
}

func mustCompose(name string, complete bool) {
	if !complete {
		panic("middleware: " + name + ": a function is nil: leave it out or give one")
	}
}
