// Package views renders html/template files with layouts and partials. It is the App's
// renderer, and is not registered:
//
//	app := nextrush.New(nextrush.Options{Renderer: views.Must(views.New("views"))})
//	app.Get("/", func(c *nextrush.Context) error { return c.Render("home", data) })
//
// A page is any file NAME.html. It defines blocks of its layout, which is
// layouts/main.html unless the page names another in its first line,
// {{/* layout: NAME */}}; "none" means no layout. The files in partials/ are templates
// that all pages and layouts can call by their names without extension. Values are
// escaped according to their context, as html/template does.
package views

import (
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"reflect"
	"regexp"
	"strings"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/opt"
)

// Options configures Views. The zero value is complete.
type Options struct {
	Funcs     template.FuncMap
	Extension string // of files; empty: ".html"
	Layout    string // of pages that name none; empty: "main", or none if there is no such file
	Reload    bool   // read the files again for every page, for development
	// Data returns what every page needs, such as the user. The data of the page, which
	// have to be nil or a map with names as keys then, join it, and replace what has the
	// same name; nil: nothing.
	Data func(c *nextrush.Context) map[string]any
}

// Views is a nextrush.Renderer. It is safe from any goroutine.
type Views struct {
	fsys  fs.FS
	opts  Options
	pages map[string]*template.Template // nil with Reload
}

var _ nextrush.Renderer = (*Views)(nil)

// New reads the templates in a directory. It fails if there is a mistake in one, even
// with Reload.
func New(dir string, opts ...Options) (*Views, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	return FS(os.DirFS(dir), opts...)
}

// FS is like New, for a file system such as an embed.FS.
func FS(fsys fs.FS, opts ...Options) (*Views, error) {
	v := &Views{fsys: fsys, opts: opt.First(opts)}
	if v.opts.Extension == "" {
		v.opts.Extension = ".html"
	}
	pages, err := v.parse()
	if err != nil {
		return nil, fmt.Errorf("views: %w", err)
	}
	if !v.opts.Reload {
		v.pages = pages
	}
	return v, nil
}

// Must returns v, or panics if err is not nil. It is for the App's options.
func Must(v *Views, err error) *Views {
	if err != nil {
		panic(err)
	}
	return v
}

// Render writes a page. If it fails, half of the page may have been written;
// Context.Render does not send that to the client.
func (v *Views) Render(w io.Writer, name string, data any, c *nextrush.Context) error {
	pages := v.pages
	if pages == nil {
		var err error
		if pages, err = v.parse(); err != nil {
			return fmt.Errorf("views: %w", err)
		}
	}
	page := pages[name]
	if page == nil {
		return fmt.Errorf("views: there is no page %q: add the file %s%s", name, name, v.opts.Extension)
	}
	data, err := v.withCommon(data, c)
	if err != nil {
		return fmt.Errorf("views: page %q: %w", name, err)
	}
	if err := page.Execute(w, data); err != nil {
		return fmt.Errorf("views: %w", err)
	}
	return nil
}

// withCommon adds Options.Data to the data of a page.
func (v *Views) withCommon(data any, c *nextrush.Context) (any, error) {
	if v.opts.Data == nil || c == nil {
		return data, nil
	}
	all := maps.Clone(v.opts.Data(c))
	if all == nil {
		all = make(map[string]any)
	}
	if data == nil {
		return all, nil
	}
	own := reflect.ValueOf(data)
	if own.Kind() != reflect.Map || own.Type().Key().Kind() != reflect.String {
		return nil, fmt.Errorf("its data are a %T, which Options.Data cannot join: give a map[string]any", data)
	}
	for name, value := range own.Seq2() {
		all[name.String()] = value.Interface()
	}
	return all, nil
}

const (
	layouts  = "layouts/"
	partials = "partials/"
)

// parse reads all files: the partials once, and every page with its layout.
func (v *Views) parse() (map[string]*template.Template, error) {
	files, err := v.read()
	if err != nil {
		return nil, err
	}
	shared := template.New("").Funcs(v.opts.Funcs)
	for name, text := range files {
		if partial, ok := strings.CutPrefix(name, partials); ok {
			if _, err := shared.New(partial).Parse(text); err != nil {
				return nil, err
			}
		}
	}
	pages := make(map[string]*template.Template)
	for name, text := range files {
		if strings.HasPrefix(name, partials) || strings.HasPrefix(name, layouts) {
			continue
		}
		if pages[name], err = v.page(shared, files, name, text); err != nil {
			return nil, err
		}
	}
	return pages, nil
}

// read returns the contents of the files by their names without extension.
func (v *Views) read() (map[string]string, error) {
	files := make(map[string]string)
	err := fs.WalkDir(v.fsys, ".", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(file) != v.opts.Extension {
			return err
		}
		text, err := fs.ReadFile(v.fsys, file)
		files[strings.TrimSuffix(file, v.opts.Extension)] = string(text)
		return err
	})
	if err == nil && len(files) == 0 {
		err = errors.New("there is no file *" + v.opts.Extension)
	}
	return files, err
}

var layoutLine = regexp.MustCompile(`^\{\{-?\s*/\*\s*layout:\s*([\w/-]+)\s*\*/\s*-?\}\}`)

// page parses a page into its layout, so that its definitions replace the layout's blocks.
func (v *Views) page(shared *template.Template, files map[string]string, name, text string) (*template.Template, error) {
	t, err := shared.Clone()
	if err != nil {
		return nil, err
	}
	layout, err := v.layout(files, name, text)
	if err != nil {
		return nil, err
	}
	if layout == "" {
		return t.New(name).Parse(text)
	}
	root, err := t.New(layout).Parse(files[layouts+layout])
	if err != nil {
		return nil, err
	}
	_, err = root.New(name).Parse(text)
	return root, err
}

// layout returns the name of a page's layout; empty: it has none.
func (v *Views) layout(files map[string]string, name, text string) (string, error) {
	if m := layoutLine.FindStringSubmatch(text); m != nil {
		if m[1] == "none" {
			return "", nil
		}
		if _, ok := files[layouts+m[1]]; !ok {
			return "", fmt.Errorf("%s has the layout %q: add the file %s%s%s", name, m[1], layouts, m[1], v.opts.Extension)
		}
		return m[1], nil
	}
	if v.opts.Layout == "" {
		if _, ok := files[layouts+"main"]; ok {
			return "main", nil
		}
		return "", nil
	}
	if _, ok := files[layouts+v.opts.Layout]; !ok {
		return "", fmt.Errorf("Options.Layout is %q: add the file %s%s%s", v.opts.Layout, layouts, v.opts.Layout, v.opts.Extension)
	}
	return v.opts.Layout, nil
}
