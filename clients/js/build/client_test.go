package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
)

// leastNode is the first version of Node.js whose WebSocket a flag turns on.
const leastNode = 20

func TestWhatIsCommittedIsWhatTheSourcesMake(t *testing.T) {
	if err := run("..", true); err != nil {
		t.Error(err)
	}
}

// TestClient runs the tests of the client in Node.js: against the sources, and those that
// need only what is exported against what is published, too.
func TestClient(t *testing.T) {
	all := sources(t, "../test/*.test.ts")
	var public []string
	for _, file := range all {
		text, err := os.ReadFile(filepath.Join("../test", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"../src/`) {
			public = append(public, file)
		}
	}
	t.Run("sources", func(t *testing.T) { node(t, "../src/%s.ts", all) })
	t.Run("dist", func(t *testing.T) { node(t, "../dist/%s.js", public) })
}

func sources(t *testing.T, pattern string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatal(pattern, err)
	}
	for _, f := range files {
		names = append(names, filepath.Base(f))
	}
	return names
}

// node runs tests with the client in the files of a form.
func node(t *testing.T, client string, tests []string) {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	o := options("../test", tests...)
	o.Platform, o.Target = api.PlatformNode, api.ES2022
	o.Sourcemap = api.SourceMapInline
	o.OutExtension = map[string]string{".js": ".mjs"}
	file := func(name string) string { return filepath.Join(here, strings.Replace(client, "%s", name, 1)) }
	o.Alias = map[string]string{
		"nextrush-client": file("index"), "nextrush-client/presence": file("presence"),
		"nextrush-client/react": file("react"), "react": filepath.Join(here, "../test/react.ts"),
	}
	bundles, _, err := build(o)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	args := []string{"--enable-source-maps", "--test", "--test-reporter=spec"}
	if version(t) < 22 {
		args = append(args, "--experimental-websocket", "--no-warnings")
	}
	for _, b := range bundles {
		path := filepath.Join(dir, b.name)
		if err := os.WriteFile(path, b.data, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	cmd := exec.Command("node", args...)
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, failures(string(out)))
	}
}

// version is the major one of Node.js.
func version(t *testing.T) int {
	t.Helper()
	out, err := exec.Command("node", "--version").Output()
	if err != nil {
		t.Fatalf("node is missing, on Debian: sudo apt-get install nodejs: %v", err)
	}
	major, _, _ := strings.Cut(strings.TrimPrefix(string(out), "v"), ".")
	n, err := strconv.Atoi(major)
	if err != nil || n < leastNode {
		t.Fatalf("Node.js is %s, the tests need %d", strings.TrimSpace(string(out)), leastNode)
	}
	return n
}

// failures leaves out of a report what went well.
func failures(report string) string {
	if i := strings.Index(report, "failing tests:"); i >= 0 {
		return report[i:]
	}
	return report
}
