package static_test

import (
	"net/http/httptest"
	"testing"

	"github.com/nextrush/nextrush/plugins/static"
)

// Several lines of a list are one list (RFC 9110 §5.3).
func TestSPALooksAtAllLinesOfAccept(t *testing.T) {
	app := appWith(t, static.New("/", site(t), static.Options{SPA: true}))
	r := httptest.NewRequest("GET", "/users/7", nil)
	r.Header["Accept"] = []string{"image/webp", "text/html"}
	w := httptest.NewRecorder()
	app.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
