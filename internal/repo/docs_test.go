package repo

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCodeInTheDocsCompiles compiles every block of Go in the README and the
// guides, each as a package of its own that exists in an overlay only, and runs those
// that are tests.
func TestCodeInTheDocsCompiles(t *testing.T) {
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	overlay := map[string]map[string]string{"Replace": {}}
	var packages, tests []string
	for _, page := range append(pages, "README.md") {
		for i, block := range goBlocks(t, page) {
			name := fmt.Sprintf("examples/docs/%s%d", strings.TrimSuffix(filepath.Base(page), ".md"), i)
			source := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(source, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			file, list := "main.go", &packages
			if strings.HasPrefix(block, "package main_test") {
				file, list = "main_test.go", &tests
			}
			overlay["Replace"][filepath.Join(here, name, file)] = source
			*list = append(*list, "./"+name)
		}
	}
	if len(packages) < 10 {
		t.Fatalf("found only %d blocks", len(packages))
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		t.Fatal(err)
	}
	// List compiles what it exports, and links nothing.
	run(t, "go", append([]string{"list", "-export", "-overlay", file}, packages...)...)
	bin := t.TempDir()
	run(t, "go", append([]string{"test", "-c", "-vet=off", "-overlay", file, "-o", bin}, tests...)...)
	for _, name := range tests {
		run(t, filepath.Join(bin, filepath.Base(name)+".test"))
	}
}

func run(t *testing.T, command string, args ...string) {
	t.Helper()
	said, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v\n%s", command, err, said)
	}
}

// braces is a path of a route as ServeMux has it.
var braces = regexp.MustCompile(`\.[A-Z]\w+\("/[^"]*\{[^"]*"`)

// goBlocks lists the blocks of Go in a page; each has to be a whole file.
func goBlocks(t *testing.T, page string) (blocks []string) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(text), "```go\n")[1:] {
		block, _, _ := strings.Cut(part, "```")
		if !strings.HasPrefix(block, "package ") {
			t.Errorf("%s: a block does not begin with package: %.60q", page, block)
			continue
		}
		if strings.Contains(block, "log.Fatal(app.") {
			t.Errorf("%s: a program ends with 1 after a clean shutdown: if err := app.Listen(…); err != nil { log.Fatal(err) }", page)
		}
		if route := braces.FindString(block); route != "" {
			t.Errorf("%s: a route with braces panics: %s", page, route)
		}
		blocks = append(blocks, block)
	}
	return blocks
}
