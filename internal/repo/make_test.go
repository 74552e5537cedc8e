package repo

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// asUser has the test run programs of these names alone, and not as root.
func asUser(t *testing.T, programs ...string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	dir := t.TempDir()
	for _, name := range append(programs, "id") {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho 1000\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
}

func TestWithoutRootTheToolsThatAreMissingAreNamed(t *testing.T) {
	asUser(t, "apt-get", "nginx")
	out, err := exec.Command("/bin/sh", "scripts/need.sh", "nginx:nginx-light", "npm:npm", "redis-server:redis").CombinedOutput()
	want := "These programs are missing: npm redis-server. On Debian: sudo apt-get install npm redis\n"
	if err == nil || string(out) != want {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
}

func TestWithTheToolsNeitherRootNorAptIsNeeded(t *testing.T) {
	asUser(t, "nginx", "npm")
	if out, err := exec.Command("/bin/sh", "scripts/need.sh", "nginx:nginx-light", "npm:npm").CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
}

var target = regexp.MustCompile(`(?m)^([a-z0-9]+):`)

// Whoever works here should not have to read the Makefile, nor should the forge
// run what it does not have.
func TestTargetsOfMakeAreDocumentedAndThere(t *testing.T) {
	makefile, guide := read(t, "Makefile"), read(t, "CONTRIBUTING.md")
	targets := map[string]bool{}
	for _, m := range target.FindAllStringSubmatch(makefile, -1) {
		targets[m[1]] = true
		if !strings.Contains(guide, "`make "+m[1]) {
			t.Errorf("CONTRIBUTING.md does not say what make %s does", m[1])
		}
	}
	workflows, err := filepath.Glob(".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatal(workflows, err)
	}
	for _, file := range workflows {
		for _, m := range regexp.MustCompile(`run: make ([a-z0-9]+)`).FindAllStringSubmatch(read(t, file), -1) {
			if !targets[m[1]] {
				t.Errorf("%s runs make %s, which is not there", file, m[1])
			}
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
