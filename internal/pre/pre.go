// Package pre runs middleware of net/http around all of an app, where the errors of the
// app have been answered already, or have cut their answers off.
package pre

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/record"
)

// Chain puts middleware around a handler, the first one outermost.
func Chain(h http.Handler, middleware []func(http.Handler) http.Handler) http.Handler {
	for _, m := range slices.Backward(middleware) {
		h = m(h)
	}
	return h
}

type cutKey struct{}

// NoteCut tells Serve, if the request with this context runs in it, why the answer is
// going to be cut off.
func NoteCut(ctx context.Context, err error) {
	if cut, ok := ctx.Value(cutKey{}).(*atomic.Pointer[error]); ok {
		cut.Store(&err)
	}
}

// Serve runs a Chain. If the answer was cut off, and middleware has kept all of it to
// itself, as http.TimeoutHandler does, answer gets the error. What has come through
// middleware without a Flush is sent before the answer is cut off here too.
func Serve(chain http.Handler, w http.ResponseWriter, r *http.Request, answer func(w http.ResponseWriter, err error)) {
	out := &record.Writer{ResponseWriter: w}
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
		case out.Status != 0:
			out.Flush()
			panic(v)
		default:
			answer(out, *err)
		}
	}()
	chain.ServeHTTP(out, r.WithContext(context.WithValue(r.Context(), cutKey{}, cut)))
}
