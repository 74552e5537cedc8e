package middleware_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestRecoverGivesThePanicToOuterMiddleware(t *testing.T) {
	var seen error
	outer := func(c *nextrush.Context) error {
		seen = c.Next()
		return seen
	}
	w := send("GET", "/", nil, outer, middleware.Recover(), func(*nextrush.Context) error { panic("boom") })
	var p *nextrush.PanicError
	if !errors.As(seen, &p) || p.Value != "boom" || w.Code != 500 || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("error %v, answer %d %q", seen, w.Code, w.Body)
	}
}

func TestRecoverLetsAbortsPass(t *testing.T) {
	defer func() {
		if v := recover(); v != http.ErrAbortHandler {
			t.Errorf("panic %v", v)
		}
	}()
	send("GET", "/", nil, middleware.Recover(), func(*nextrush.Context) error { panic(http.ErrAbortHandler) })
}
