package nextrush_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
)

// Whoever stands in between may join the lines of a list (RFC 9110 §5.3), and clients
// made from an OpenAPI document send one line.
func TestAListFromAHeaderIsTheSameInOneLineAndInSeveral(t *testing.T) {
	app := nextrush.New()
	app.Get("/", nextrush.Handle(func(_ *nextrush.Context, in struct {
		IDs  []int    `header:"X-Ids"`
		Tags []string `header:"X-Tags"`
		One  string   `header:"X-One"`
	}) (any, error) {
		return in, nil
	}))
	want := `{"IDs":[1,2,3],"Tags":["a","\"b,c\"","d"],"One":"x, y"}`
	for _, ids := range [][]string{{"1,2,3"}, {"1", "2", "3"}, {"1 ,\t2", "", ",3,"}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["X-Ids"] = ids
		r.Header["X-Tags"] = []string{`a, "b,c"`, "d"}
		r.Header["X-One"] = []string{"x, y"}
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("%q: %s", ids, got)
		}
	}
}
