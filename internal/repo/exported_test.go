package repo

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestExportedNamesAreDocumented reads every package that users import, those of
// other modules among them.
func TestExportedNamesAreDocumented(t *testing.T) {
	for dir, files := range publicPackages(t) {
		example := false
		for _, f := range files {
			name := filepath.Base(f.path)
			if strings.HasSuffix(name, "_test.go") {
				example = example || hasExample(f.ast)
				continue
			}
			for _, decl := range f.ast.Decls {
				for _, undocumented := range undocumented(decl) {
					t.Errorf("%s: %s has no comment", f.path, undocumented)
				}
			}
		}
		if !example {
			t.Errorf("%s has no Example", dir)
		}
	}
}

type sourceFile struct {
	path string
	ast  *ast.File
}

func publicPackages(t *testing.T) map[string][]sourceFile {
	t.Helper()
	packages := map[string][]sourceFile{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			switch d.Name() {
			case "internal", "clients", "examples", "benchmarks", "e2e", "cmd", "docs", "scripts", "testdata", "node_modules", ".git", ".ci":
				return filepath.SkipDir
			}
			return err
		}
		if filepath.Ext(path) != ".go" || err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		dir := filepath.Dir(path)
		packages[dir] = append(packages[dir], sourceFile{path, file})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return packages
}

func hasExample(file *ast.File) bool {
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, "Example") {
			return true
		}
	}
	return false
}

// wellKnown methods do what their name says everywhere.
var wellKnown = []string{"Error", "Unwrap", "String"}

// undocumented lists the exported names of a declaration that have no comment:
// of a group one is enough.
func undocumented(decl ast.Decl) (names []string) {
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && receiverExported(d) && !slices.Contains(wellKnown, d.Name.Name) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

func receiverExported(f *ast.FuncDecl) bool {
	return f.Recv == nil || ast.IsExported(receiver(f))
}
