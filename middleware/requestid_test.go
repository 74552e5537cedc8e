package middleware_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nextrush/nextrush/middleware"
)

func TestRequestIDTakesOnlyTrustedTokens(t *testing.T) {
	for _, test := range []struct {
		trust bool
		id    string
		kept  bool
	}{
		{false, "abc", false},
		{true, "abc-1.2_3", true},
		{true, strings.Repeat("a", 128), true},
		{true, strings.Repeat("a", 129), false},
		{true, "a b", false},
		{true, "a\nb", false},
		{true, "", false},
	} {
		w := send("GET", "/", http.Header{"X-Request-Id": {test.id}},
			middleware.RequestID(middleware.RequestIDOptions{TrustIncoming: test.trust}))
		got := w.Header().Get("X-Request-Id")
		if got == "" || (got == test.id) != test.kept || w.Body.String() != got {
			t.Errorf("%q, trusted %v: header %q, ID %q", test.id, test.trust, got, w.Body)
		}
	}
}
