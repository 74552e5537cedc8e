package nextrush

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/nextrush/nextrush"

// mayImport lists what each part of the module may import of the module; the
// longest prefix of a file's folder counts. Tests are not looked at.
var mayImport = map[string][]string{
	"":                           {"websocket"},
	"middleware":                 {"", "websocket"},
	"plugins":                    {"", "websocket"},
	"nextrushtest":               {"", "websocket"},
	"websocket":                  {"websocket/internal/wire", "websocket/internal/deflate", "internal/poll"},
	"websocket/internal":         {},
	"internal":                   {},
	"examples":                   {"", "websocket", "middleware", "plugins"},
	"benchmarks":                 {"", "websocket", "middleware", "plugins"},
	"e2e":                        {},
	"websocket/internal/wire":    {},
	"websocket/internal/deflate": {},
}

// third lists the modules that the core may import.
var third = []string{"github.com/julienschmidt/httprouter", "github.com/go-playground/validator/v10", "github.com/klauspost/compress"}

func TestImportsGoAlongTheArrows(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		for _, spec := range file.Imports {
			target, _ := strconv.Unquote(spec.Path.Value)
			if !allowedImport(folder, target) {
				t.Errorf("%s must not import %s", path, target)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func allowedImport(folder, target string) bool {
	if target == module || strings.HasPrefix(target, module+"/") {
		target = strings.TrimPrefix(strings.TrimPrefix(target, module), "/")
		for _, allowed := range rule(folder) {
			if target == allowed || allowed != "" && strings.HasPrefix(target, allowed+"/") {
				return true
			}
		}
		return false
	}
	if !strings.Contains(strings.Split(target, "/")[0], ".") {
		return true // the standard library
	}
	if strings.HasPrefix(folder, "benchmarks") || strings.HasPrefix(folder, "e2e") || strings.HasPrefix(folder, "plugins") {
		return true // modules of their own
	}
	for _, m := range third {
		if target == m || strings.HasPrefix(target, m+"/") {
			return true
		}
	}
	return false
}

func rule(folder string) []string {
	for f := folder; ; f = filepath.ToSlash(filepath.Dir(f)) {
		if f == "." {
			f = ""
		}
		if allowed, ok := mayImport[f]; ok && (f != "" || folder == ".") {
			return allowed
		}
		if f == "" {
			return nil
		}
	}
}
