package views_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/views"
)

func TestDataIsThereInEveryPage(t *testing.T) {
	type h map[string]any
	common := map[string]any{"user": "ada", "title": "Shop"}
	v := views.Must(views.FS(files("page.html", `{{.title}} of {{.user}}{{with .book}}: {{.}}{{end}}`), views.Options{
		Data: func(c *nextrush.Context) map[string]any { return common },
	}))
	app := nextrush.New(nextrush.Options{Renderer: v, Logger: slog.New(slog.DiscardHandler)})
	page := func(path string, data any) {
		app.Get(path, func(c *nextrush.Context) error { return c.Render("page", data) })
	}
	page("/none", nil)
	page("/map", map[string]any{"book": "<b>"})
	page("/named", h{"title": "Books"})
	page("/strings", map[string]string{"title": "Hats"})
	page("/number", 7)
	page("/struct", struct{ Title string }{"x"})
	client := nextrushtest.New(t, app)
	for path, want := range map[string]string{"/none": "Shop of ada", "/map": "Shop of ada: &lt;b&gt;", "/named": "Books of ada", "/strings": "Hats of ada"} {
		if got := client.Get(path).WantStatus(200).Text(); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	client.Get("/struct").WantStatus(500)
	client.Get("/number").WantStatus(500)
	if len(common) != 2 {
		t.Errorf("the page's data got into the common: %v", common)
	}
	var out strings.Builder
	if err := v.Render(&out, "page", map[string]any{"title": "no", "user": "request"}, nil); err != nil || out.String() != "no of request" {
		t.Errorf("without a request: %q, %v", &out, err)
	}
}

func TestWithoutDataAPageMayHaveAny(t *testing.T) {
	empty := views.Options{Data: func(c *nextrush.Context) map[string]any { return nil }}
	v := views.Must(views.FS(files("page.html", `{{.x}}`), empty))
	app := nextrush.New(nextrush.Options{Renderer: v})
	app.Get("/", func(c *nextrush.Context) error { return c.Render("page", map[string]any{"x": 1}) })
	if got := nextrushtest.New(t, app).Get("/").WantStatus(200).Text(); got != "1" {
		t.Errorf("%q", got)
	}
}
