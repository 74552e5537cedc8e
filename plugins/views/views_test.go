package views_test

import (
	"bytes"
	"fmt"
	"html/template"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/views"
)

func files(list ...string) fstest.MapFS {
	fsys := make(fstest.MapFS)
	for i := 0; i < len(list); i += 2 {
		fsys[list[i]] = &fstest.MapFile{Data: []byte(list[i+1])}
	}
	return fsys
}

func TestPagesLayoutsAndPartials(t *testing.T) {
	fsys := files(
		"layouts/main.html", `<title>{{block "title" .}}Shop{{end}}</title>{{template "nav" .}}{{block "content" .}}{{end}}`,
		"layouts/plain.html", `plain {{block "content" .}}{{end}}`,
		"partials/nav.html", `<nav>{{upper .}}</nav>`,
		"home.html", `{{define "content"}}Hello {{.}}{{end}}`,
		"about.html", `{{define "title"}}About{{end}}{{define "content"}}us{{end}}`,
		"admin/list.html", "{{/* layout: plain */}}\n{{define \"content\"}}list{{end}}",
		"bare.html", `{{/* layout: none */}}bare {{.}}`,
		"notes.txt", `not a {{template`,
	)
	v, err := views.FS(fsys, views.Options{Funcs: template.FuncMap{"upper": func(s any) string { return strings.ToUpper(fmt.Sprint(s)) }}})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"home":       `<title>Shop</title><nav>&lt;B&gt;</nav>Hello &lt;b&gt;`,
		"about":      `<title>About</title><nav>&lt;B&gt;</nav>us`,
		"admin/list": `plain list`,
		"bare":       `bare &lt;b&gt;`,
	} {
		var out bytes.Buffer
		if err := v.Render(&out, name, "<b>", nil); err != nil || out.String() != want {
			t.Errorf("%s is %q, %v", name, &out, err)
		}
	}
}

func TestMistakesAreFoundAtStart(t *testing.T) {
	for name, fsys := range map[string]fstest.MapFS{
		"a page that does not parse": files("a.html", `{{if}}`),
		"a layout that is not there": files("a.html", `{{/* layout: x */}}`),
		"a partial that is unclosed": files("a.html", ``, "partials/p.html", `{{define "x"}}`),
		"no pages at all":            files("a.txt", ``),
	} {
		if _, err := views.FS(fsys); err == nil || !strings.HasPrefix(err.Error(), "views: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := views.FS(files("a.html", ``), views.Options{Layout: "none-such"}); err == nil {
		t.Error("a layout of the options that is not there is taken")
	}
	if _, err := views.New("no such directory"); err == nil {
		t.Error("a directory that is not there is taken")
	}
}

func TestAFailureSendsNothingOfThePage(t *testing.T) {
	v := views.Must(views.FS(files("a.html", `begun {{.None.Of.It}}`)))
	app := nextrush.New(nextrush.Options{Renderer: v})
	app.Get("/", func(c *nextrush.Context) error { return c.Render("a", 1) })
	app.Get("/none", func(c *nextrush.Context) error { return c.Render("../a", 1) })
	c := nextrushtest.New(t, app)
	for _, path := range []string{"/", "/none"} {
		if res := c.Get(path).WantStatus(500); strings.Contains(res.Text(), "begun") {
			t.Errorf("%s got %s", path, res.Text())
		}
	}
}

func TestReloadReadsFilesAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.html")
	put := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	live, kept := views.Must(views.New(dir, views.Options{Reload: true})), views.Must(views.New(dir))
	put("two")
	for v, want := range map[*views.Views]string{live: "two", kept: "one"} {
		var out bytes.Buffer
		if err := v.Render(&out, "a", nil, nil); err != nil || out.String() != want {
			t.Errorf("got %q, %v, want %q", &out, err, want)
		}
	}
	put("{{")
	if err := live.Render(&bytes.Buffer{}, "a", nil, nil); err == nil {
		t.Error("a mistake while reloading is no error")
	}
}

func ExampleFS() {
	v, err := views.FS(fstest.MapFS{
		"layouts/main.html": {Data: []byte(`<h1>{{block "content" .}}{{end}}</h1>`)},
		"home.html":         {Data: []byte(`{{define "content"}}Hello {{.}}{{end}}`)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	app := nextrush.New(nextrush.Options{Renderer: v})
	app.Get("/", func(c *nextrush.Context) error { return c.Render("home", "Ada") })

	var out bytes.Buffer
	v.Render(&out, "home", "Ada", nil)
	fmt.Println(&out)
	// Output: <h1>Hello Ada</h1>
}
