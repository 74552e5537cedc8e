package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPackagesThatStartGoroutinesLookForLeaks: each has a TestMain that calls
// leak.Main.
func TestPackagesThatStartGoroutinesLookForLeaks(t *testing.T) {
	starts, tested, gated := map[string]bool{}, map[string]bool{}, map[string]bool{}
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == "examples" || d.Name() == "benchmarks" || d.Name() == "e2e" || d.Name() == "node_modules") {
			return filepath.SkipDir
		}
		if err != nil || filepath.Ext(file) != ".go" {
			return err
		}
		text, err := os.ReadFile(file)
		dir := filepath.Dir(file)
		if strings.HasSuffix(file, "_test.go") {
			tested[dir] = true
			gated[dir] = gated[dir] || strings.Contains(string(text), "leak.Main(m)")
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, 0)
		if err != nil {
			return err
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			_, ok := n.(*ast.GoStmt)
			starts[dir] = starts[dir] || ok
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for dir := range starts {
		if starts[dir] && tested[dir] && !gated[dir] {
			t.Errorf("%s starts goroutines; its TestMain has to call leak.Main", dir)
		}
	}
	if len(gated) < 10 {
		t.Errorf("found %d packages", len(gated))
	}
}
