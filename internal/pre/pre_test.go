package pre

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func named(name string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, name)
			next.ServeHTTP(w, r)
		})
	}
}

func TestTheFirstMiddlewareIsOutermost(t *testing.T) {
	w := httptest.NewRecorder()
	last := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "c") })
	Chain(last, []func(http.Handler) http.Handler{named("a"), named("b")}).ServeHTTP(w, nil)
	if got := w.Body.String(); got != "abc" {
		t.Errorf("%q", got)
	}
}

// serve runs a chain that ends in a panic after an error was noted, and says what became
// of the answer.
func serve(chain http.HandlerFunc) (w *httptest.ResponseRecorder, panicked any, answered error) {
	w = httptest.NewRecorder()
	defer func() { panicked = recover() }()
	Serve(chain, w, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, err error) { answered = err })
	return w, nil, answered
}

func TestAnAnswerThatWasCutOff(t *testing.T) {
	broke := errors.New("it broke")
	cut := func(r *http.Request, v any) {
		NoteCut(r.Context(), broke)
		panic(v)
	}
	for name, tt := range map[string]struct {
		chain    http.HandlerFunc
		answered error
		panicked any
		flushed  bool
	}{
		"of which nothing has come out": {func(_ http.ResponseWriter, r *http.Request) { cut(r, http.ErrAbortHandler) }, broke, nil, false},
		"that has begun": {func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "part")
			cut(r, http.ErrAbortHandler)
		}, nil, http.ErrAbortHandler, true},
		"by another panic": {func(_ http.ResponseWriter, r *http.Request) { cut(r, "oops") }, nil, "oops", false},
		"which the middleware has answered": {func(w http.ResponseWriter, r *http.Request) {
			defer func() { recover(); io.WriteString(w, "sorry") }()
			cut(r, http.ErrAbortHandler)
		}, nil, nil, false},
		"by somebody else": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, http.ErrAbortHandler, false},
	} {
		w, panicked, answered := serve(tt.chain)
		if answered != tt.answered || panicked != tt.panicked || w.Flushed != tt.flushed {
			t.Errorf("%s: answered %v, panicked %v, flushed %t", name, answered, panicked, w.Flushed)
		}
	}
}
