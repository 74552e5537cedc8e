package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A table for those who come from elsewhere promises something in each row, so the last
// cell names the tests that show it, and what the row names of ours is in them.
func TestRowsForThoseWhoComeFromElsewhereAreTested(t *testing.T) {
	pages, err := filepath.Glob("docs/coming-from-*.md")
	if err != nil || len(pages) == 0 {
		t.Fatal("no such pages", err)
	}
	tests := testFunctions(t)
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		for _, cells := range tableRows(string(text)) {
			rows++
			ours, names := cells[len(cells)-2], backquoted.FindAllStringSubmatch(cells[len(cells)-1], -1)
			if len(names) == 0 {
				t.Errorf("%s: no test is named for %s", page, cells[0])
			}
			var sources string
			for _, name := range names {
				sources += tests.source(t, page, name[1])
			}
			for _, m := range mentioned.FindAllStringSubmatch(ours, -1) {
				if !regexp.MustCompile(`\b` + m[1] + `\b`).MatchString(sources) {
					t.Errorf("%s: no test of %s has %s", page, cells[0], m[1])
				}
			}
		}
		if rows < 30 {
			t.Errorf("%s has only %d rows", page, rows)
		}
	}
}

var (
	backquoted = regexp.MustCompile("`([^`]+)`")
	mentioned  = regexp.MustCompile(`\b(?:c|app|s|middleware|nextrush|websocket|session|Options)\.([A-Z]\w+)`)
)

// tableRows lists the cells of the rows of all tables, without their heads.
func tableRows(text string) (rows [][]string) {
	head := true
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			head = true
		case strings.HasPrefix(line, "|---"):
			head = false
		case !head:
			rows = append(rows, strings.Split(strings.Trim(strings.ReplaceAll(line, `\|`, "\x00"), "| "), " | "))
		}
	}
	return rows
}

// testFunction is a test, with the file around it.
type testFunction struct {
	file    string // its text
	strings map[string]bool
}

type testIndex map[string][]testFunction

// source is the file of the test that a page names: a function, or one part of it, which
// has its name as a text there.
func (x testIndex) source(t *testing.T, page, name string) string {
	t.Helper()
	function, part, hasPart := strings.Cut(name, "/")
	found := x[function]
	switch {
	case len(found) == 0:
		t.Errorf("%s names the test %s, which is not there", page, name)
	case len(found) > 1:
		t.Errorf("%s names the test %s, of which there are %d", page, name, len(found))
	case hasPart && !found[0].strings[part]:
		t.Errorf("%s names the test %s, but %s has no part %q", page, name, function, part)
	default:
		return found[0].file
	}
	return ""
}

func testFunctions(t *testing.T) testIndex {
	t.Helper()
	all := testIndex{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || path != "." && strings.HasPrefix(d.Name(), ".")) {
			return filepath.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Test") {
				all[f.Name.Name] = append(all[f.Name.Name], testFunction{string(text), stringsIn(f)})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func stringsIn(f *ast.FuncDecl) map[string]bool {
	all := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			text, _ := strconv.Unquote(lit.Value)
			all[text] = true
		}
		return true
	})
	return all
}
