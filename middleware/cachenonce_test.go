package middleware_test

import (
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

// A nonce that a second visitor gets is one that an attacker knows.
func TestPagesWithANonceAreNotKept(t *testing.T) {
	cacheFor := func(c *nextrush.Context) { c.CacheFor(time.Hour) }
	nonce := func(c *nextrush.Context) string { return middleware.CSPNonce(c) }
	for name, test := range map[string]struct {
		page func(c *nextrush.Context) string
		kept bool
	}{
		"no nonce":        {func(c *nextrush.Context) string { cacheFor(c); return "" }, true},
		"nonce first":     {func(c *nextrush.Context) string { s := nonce(c); cacheFor(c); return s }, false},
		"nonce last":      {func(c *nextrush.Context) string { cacheFor(c); return nonce(c) }, false},
		"asked for twice": {func(c *nextrush.Context) string { nonce(c); cacheFor(c); return nonce(c) }, false},
		"a header of its own": {func(c *nextrush.Context) string {
			s := nonce(c)
			c.Writer().Header().Set("Cache-Control", "public, max-age=60")
			return s
		}, false},
	} {
		for _, outer := range []bool{true, false} {
			uses := []nextrush.Handler{middleware.SecureHeaders(), middleware.Cache()}
			if outer {
				uses[0], uses[1] = uses[1], uses[0]
			}
			runs := 0
			app := nextrush.New(nextrush.Options{Logger: slog.New(slog.DiscardHandler)})
			app.Use(uses)
			app.Get("/", func(c *nextrush.Context) error {
				runs++
				return c.HTML("<script nonce=" + test.page(c) + "></script>")
			})
			first, second := call(app, "GET", "/"), call(app, "GET", "/")
			if got := runs == 1; got != test.kept {
				t.Errorf("%s, Cache outside %t: kept %t", name, outer, got)
			}
			if policy := second.Header().Get("Content-Security-Policy"); !test.kept && first.Body.String() == second.Body.String() || second.Code != http.StatusOK || policy == "" {
				t.Errorf("%s: %q twice, policy %q", name, first.Body, policy)
			}
		}
	}
}
