package nextrush

import (
	"net/http"
	"slices"
)

// Pre adds middleware that sees requests before a route is looked for, so that
// it may change their method or path, which middleware given to Use finds
// decided. The first one added runs first. It runs for the app that serves, not
// for apps mounted in it, and before the body's limit applies.
func (a *App) Pre(middleware ...func(http.Handler) http.Handler) {
	if slices.ContainsFunc(middleware, func(m func(http.Handler) http.Handler) bool { return m == nil }) {
		panic("nextrush: Pre: a middleware is nil: give a function")
	}
	a.pre = append(a.pre, middleware...)
	a.front = http.HandlerFunc(a.answer)
	for _, m := range slices.Backward(a.pre) {
		a.front = m(a.front)
	}
}
