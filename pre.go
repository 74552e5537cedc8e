package nextrush

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
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

type cutKey struct{}

// serveFront runs what was given to Pre. It answers an error that has cut off an answer
// of which middleware has kept all to itself, as http.TimeoutHandler does, and sends
// what came through one that has no Flush: see cutOff.
func (a *App) serveFront(w http.ResponseWriter, r *http.Request) {
	out := &response{ResponseWriter: w}
	cut := new(atomic.Pointer[error])
	defer func() {
		err := cut.Load()
		if err == nil {
			return
		}
		switch v := recover(); {
		case v == nil: // the middleware has answered
		case v != http.ErrAbortHandler:
			panic(v)
		case out.status != 0:
			out.Flush()
			panic(v)
		default:
			c := newContext(a, out, r)
			c.logged = true
			c.HandleError(*err)
		}
	}()
	a.front.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), cutKey{}, cut)))
}

// noteCut tells serveFront why an answer is cut off.
func (c *Context) noteCut(err error) {
	if cut, ok := c.req.Context().Value(cutKey{}).(*atomic.Pointer[error]); ok {
		cut.Store(&err)
	}
}
