package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/websocket"
)

// A guide that names what is not there sends its reader looking for it.
func TestNamesInTheGuidesExist(t *testing.T) {
	middleware := exported(t, "middleware")
	context := reflect.TypeFor[*nextrush.Context]()
	app := reflect.TypeFor[*nextrush.App]()
	clients := []reflect.Type{reflect.TypeFor[*nextrushtest.Client](), reflect.TypeFor[*websocket.Client]()}
	method := func(of ...reflect.Type) func(string) bool {
		return func(name string) bool {
			return slices.ContainsFunc(of, func(t reflect.Type) bool { _, ok := t.MethodByName(name); return ok })
		}
	}
	checks := map[string]func(name string) bool{
		`middleware\.([A-Z]\w+)`: func(name string) bool { return middleware[name] },
		`\bplugins/([a-z]+)`: func(name string) bool {
			_, err := os.Stat(filepath.Join("plugins", name))
			return err == nil
		},
		"`c\\.([A-Z]\\w+)":   method(append(clients, context)...),
		"`app\\.([A-Z]\\w+)": method(app),
		"`s\\.([A-Z]\\w+)":   method(reflect.TypeFor[*websocket.Socket](), reflect.TypeFor[*nextrush.SSE]()),
	}
	for _, page := range pages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for pattern, exists := range checks {
			for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(ours(page, string(text)), -1) {
				if !exists(m[1]) {
					t.Errorf("%s names %s, which is not there", page, m[0])
				}
			}
		}
	}
}

var (
	firstCell  = regexp.MustCompile(`(?m)^\|[^|]*\|`)
	secondCell = regexp.MustCompile(`(?m)^(\|[^|]*)\|[^|]*\|`)
)

// ours leaves out the cells of tables where the names of others stand.
func ours(page, text string) string {
	if page == "docs/README.md" {
		return secondCell.ReplaceAllString(text, "$1|")
	}
	if strings.Contains(page, "coming-from") || strings.Contains(page, "testing") {
		return firstCell.ReplaceAllString(text, "|")
	}
	return text
}

var (
	link    = regexp.MustCompile(`\]\(([\w./@-]*)(#[^)]*)?\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	silent  = regexp.MustCompile(`[^a-z0-9 -]`) // what an anchor leaves out
)

func TestLinksInTheGuidesLeadSomewhere(t *testing.T) {
	for _, page := range append(pages(t), "CONTRIBUTING.md", "SECURITY.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			there, err := os.ReadFile(target)
			if err != nil || !hasAnchor(string(there), m[2]) {
				t.Errorf("%s links to %s%s, which is not there", page, m[1], m[2])
			}
		}
	}
}

// Who searches the index finds every page of the docs.
func TestTheIndexLeadsToEveryPage(t *testing.T) {
	index := read(t, "docs/README.md")
	for _, page := range pages(t) {
		name := filepath.Base(page)
		if name != "README.md" && filepath.Dir(page) == "docs" && !strings.Contains(index, "("+name) {
			t.Errorf("docs/README.md does not lead to %s: add a row with what its readers want", name)
		}
	}
	if rows := len(tableRows(index)); rows < 60 {
		t.Errorf("docs/README.md has only %d rows", rows)
	}
}

func hasAnchor(text, anchor string) bool {
	for _, h := range heading.FindAllStringSubmatch(text, -1) {
		name := silent.ReplaceAllString(strings.ToLower(h[1]), "")
		if anchor == "#"+strings.ReplaceAll(name, " ", "-") {
			return true
		}
	}
	return anchor == ""
}

func pages(t *testing.T) []string {
	t.Helper()
	guides, err := filepath.Glob("docs/*.md")
	if err != nil || len(guides) == 0 {
		t.Fatal("no guides", err)
	}
	return slices.Concat(guides, recipes(t), []string{"README.md"})
}

// exported lists what a package declares.
func exported(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				names[d.Name.Name] = d.Recv == nil
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch sp := spec.(type) {
					case *ast.TypeSpec:
						names[sp.Name.Name] = true
					case *ast.ValueSpec:
						names[sp.Names[0].Name] = true
					}
				}
			}
		}
	}
	return names
}
