package upload_test

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/upload"
)

// With each of them, all uploads would be refused or fail.
func TestOptionsThatNoFileCouldMeetPanic(t *testing.T) {
	for want, o := range map[string]upload.Options{
		"image/svg+xml":    {Types: []string{"image/png", "image/svg+xml"}},
		"application/json": {Types: []string{"application/json"}},
		"text/c*":          {Types: []string{"text/c*"}},
		"Dir":              {Dir: filepath.Join(t.TempDir(), "none")},
	} {
		func() {
			defer func() {
				if got, _ := recover().(string); !strings.Contains(got, want) {
					t.Errorf("%s: %q", want, got)
				}
			}()
			upload.Handler(o)
		}()
	}
}

func TestTypesMayBeInCapitals(t *testing.T) {
	app := nextrush.New()
	app.Post("/", upload.Handler(upload.Options{Types: []string{"Image/PNG"}}), func(c *nextrush.Context) error { return c.NoContent() })
	w := httptest.NewRecorder()
	app.ServeHTTP(w, form(sent{"f", "a.png", string(png)}))
	if w.Code != http.StatusNoContent {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
