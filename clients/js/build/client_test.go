package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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
	t.Run("sources", func(t *testing.T) { suites(t, node(t), "../src/%s.ts", sources(t, "../test/*.test.ts")) })
	t.Run("dist", func(t *testing.T) { suites(t, node(t), published, public(t)) })
}

// published is where the client is that npm publishes.
const published = "../dist/%s.js"

// public are the tests that need only what is exported.
func public(t *testing.T) (files []string) {
	t.Helper()
	for _, file := range sources(t, "../test/*.test.ts") {
		text, err := os.ReadFile(filepath.Join("../test", file))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"../src/`) {
			files = append(files, file)
		}
	}
	return files
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

// runtime is a program that runs the client: run is its command for a program, test
// that for files of tests.
type runtime struct{ run, test []string }

// node is the Node.js of the system.
func node(t *testing.T) runtime {
	t.Helper()
	run := []string{"node", "--enable-source-maps"}
	if version(t) < 22 {
		run = append(run, "--experimental-websocket", "--no-warnings")
	}
	return runtime{run, append(slices.Clone(run), "--test", "--test-reporter=spec")}
}

// suites runs tests with the client in the files of a form.
func suites(t *testing.T, r runtime, client string, tests []string) {
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
	args := slices.Clone(r.test)
	for _, b := range bundles {
		path := filepath.Join(dir, b.name)
		write(t, path, string(b.data))
		args = append(args, path)
	}
	cmd := exec.Command(args[0], args[1:]...)
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
