package middleware_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/middleware"
)

func TestReverseProxyLeavesTheQuery(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.URL.RawQuery) }))
	defer target.Close()
	app := nextrush.New()
	app.Get("/*rest", middleware.ReverseProxy(target.URL))
	for _, query := range []string{"q=a;b&page=2", "q=%zz", "a=%", "a&b==c&&d=+"} {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, httptest.NewRequest("GET", "/x?"+query, nil))
		if w.Body.String() != query {
			t.Errorf("%s: the target gets %q", query, w.Body)
		}
	}
}
