package repo

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCodeInTheDocsCompiles compiles every block of Go in the README and the
// guides, each as a package of its own that exists in an overlay only.
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
	var packages []string
	for _, page := range append(pages, "README.md") {
		for i, block := range goBlocks(t, page) {
			name := fmt.Sprintf("examples/docs/%s%d", strings.TrimSuffix(filepath.Base(page), ".md"), i)
			source := filepath.Join(t.TempDir(), "main.go")
			if err := os.WriteFile(source, []byte(block), 0o600); err != nil {
				t.Fatal(err)
			}
			overlay["Replace"][filepath.Join(here, name, "main.go")] = source
			packages = append(packages, "./"+name)
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
	compile := exec.Command("go", append([]string{"list", "-export", "-overlay", file}, packages...)...)
	var problems strings.Builder
	compile.Stderr = &problems
	if err := compile.Run(); err != nil {
		t.Errorf("%v\n%s", err, problems.String())
	}
}

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
		blocks = append(blocks, block)
	}
	return blocks
}
