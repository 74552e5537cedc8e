package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// tiny is a repository with a core and plugins that require it and each other.
var tiny = map[string]string{
	"go.work": "go 1.26\n\nuse (\n\t.\n\t./e2e\n\t./plugins/a/b\n\t./plugins/a\n)\n\nreplace (\n\t" +
		root + " v0.0.0 => ./\n\t" + root + "/plugins/a v0.0.0 => ./plugins/a\n)\n",
	"go.mod":                 "module " + root + "\n\ngo 1.26\n",
	"core.go":                "package nextrush\n",
	"LICENSE":                "free\n",
	"CHANGELOG.md":           "# Changelog\n\n## v0.1.0 – 2026-12-01\n\n- A change.\n\n## v0.0.9\n",
	"plugins/a/go.mod":       "module " + root + "/plugins/a\n\ngo 1.26\n\nrequire " + root + " v0.0.0\n",
	"plugins/a/go.sum":       "",
	"plugins/a/a.go":         "package a\n\nimport _ \"" + root + "\"\n",
	"plugins/a/b/go.mod":     "module " + root + "/plugins/a/b\n\ngo 1.26\n\nrequire " + root + "/plugins/a v0.0.0\n\nrequire " + root + " v0.0.0 // indirect\n",
	"plugins/a/b/go.sum":     "",
	"plugins/a/b/b.go":       "package b\n\nimport _ \"" + root + "/plugins/a\"\n",
	"e2e/go.mod":             "module " + root + "/e2e\n\ngo 1.26\n\nrequire " + root + "/plugins/a v0.0.0\n\nrequire " + root + " v0.0.0 // indirect\n",
	"e2e/go.sum":             "",
	"e2e/everything_test.go": "package e2e\n\nimport _ \"" + root + "/plugins/a\"\n",
}

func newTiny(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("releases are made on Unix")
	}
	repo := t.TempDir()
	for name, text := range tiny {
		write(t, filepath.Join(repo, name), text)
	}
	must(t, repo, "git", "init", "-q", "-b", "main")
	must(t, repo, "git", "config", "user.name", "Release")
	must(t, repo, "git", "config", "user.email", "release@example.com")
	commit(t, repo)
	return repo
}

func commit(t *testing.T, repo string) {
	t.Helper()
	must(t, repo, "git", "add", "-A")
	must(t, repo, "git", "commit", "-q", "-m", "Change")
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, dir string, args ...string) string {
	t.Helper()
	out, err := run(dir, nil, args[0], args[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// state is all of a repository that a release changes.
func state(t *testing.T, repo string) string {
	return must(t, repo, "git", "log", "-1", "--format=%H %D") + must(t, repo, "git", "for-each-ref") +
		must(t, repo, "git", "worktree", "list") + must(t, repo, "git", "status", "--porcelain")
}

func TestAReleaseIsOneCommitWithATagPerModule(t *testing.T) {
	repo := newTiny(t)
	base := must(t, repo, "git", "rev-parse", "HEAD")
	tags, err := release(repo, "v0.1.0")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"v0.1.0", "plugins/a/v0.1.0", "plugins/a/b/v0.1.0"}
	if there := strings.Fields(must(t, repo, "git", "tag", "--points-at", "HEAD")); !slices.Equal(tags, want) || len(there) != len(want) {
		t.Errorf("returns %v, and tags %v", tags, there)
	}
	if parent := must(t, repo, "git", "rev-parse", "main^"); parent != base {
		t.Error("not one commit")
	}
	if left := must(t, repo, "git", "status", "--porcelain") + must(t, repo, "git", "worktree", "prune", "-n", "-v"); left != "" {
		t.Error(left)
	}
	for _, file := range []string{"go.work", "e2e/go.mod", "plugins/a/go.mod", "plugins/a/b/go.mod"} {
		text, err := os.ReadFile(filepath.Join(repo, file))
		if err != nil || string(text) != strings.ReplaceAll(tiny[file], "v0.0.0", "v0.1.0") {
			t.Errorf("%s: %v\n%s", file, err, text)
		}
	}
	sums, err := os.ReadFile(filepath.Join(repo, "plugins/a/b/go.sum"))
	if err != nil || strings.Count(string(sums), " h1:") != 4 {
		t.Errorf("%v\n%s", err, sums)
	}
}

func TestAFailedReleaseChangesNothing(t *testing.T) {
	for _, c := range []struct {
		name, version string
		spoil         func(t *testing.T, repo string)
		want          string
	}{
		{"a version without a v", "0.1.0", nil, "not a version"},
		{"a version that needs other paths", "v2.0.0", nil, "not a version"},
		{"a version without a section", "v0.1.1", nil, `"## v0.1.0 – 2026-12-01" instead of a section "## v0.1.1"`},
		{"a section without a word", "v0.1.0", func(t *testing.T, repo string) {
			write(t, filepath.Join(repo, "CHANGELOG.md"), "# Changelog\n\n## v0.1.0\n\n## v0.0.9\n\n- A change.\n")
			commit(t, repo)
		}, "CHANGELOG.md"},
		{"a file of the tree is changed", "v0.1.0", func(t *testing.T, repo string) {
			write(t, filepath.Join(repo, "README.md"), "changed")
		}, "not clean"},
		{"a file is new", "v0.1.0", func(t *testing.T, repo string) {
			write(t, filepath.Join(repo, "new.go"), "package nextrush")
		}, "not clean"},
		{"one of the tags is there", "v0.1.0", func(t *testing.T, repo string) {
			must(t, repo, "git", "tag", "plugins/a/b/v0.1.0")
		}, "there already"},
		{"a module that go.work does not list", "v0.1.0", func(t *testing.T, repo string) {
			must(t, repo, "go", "work", "edit", "-dropuse=./plugins/a")
			commit(t, repo)
		}, "go.work"},
		{"the last module fails", "v0.1.0", func(t *testing.T, repo string) {
			must(t, repo, "git", "rm", "-q", "plugins/a/b/go.sum")
			commit(t, repo)
		}, "plugins/a/b"},
		{"a hook refuses the commit", "v0.1.0", func(t *testing.T, repo string) {
			hook := filepath.Join(repo, ".git", "hooks", "pre-commit")
			write(t, hook, "#!/bin/sh\nexit 1\n")
			if err := os.Chmod(hook, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "commit"},
		{"a hook refuses a tag", "v0.1.0", func(t *testing.T, repo string) {
			hook := filepath.Join(repo, ".git", "hooks", "reference-transaction")
			write(t, hook, "#!/bin/sh\n[ $1 = prepared ] && grep -q refs/tags/ && exit 1\nexit 0\n")
			if err := os.Chmod(hook, 0o755); err != nil {
				t.Fatal(err)
			}
		}, "tags"},
	} {
		t.Run(c.name, func(t *testing.T) {
			repo := newTiny(t)
			if c.spoil != nil {
				c.spoil(t, repo)
			}
			before := state(t, repo)
			tags, err := release(repo, c.version)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, %v; want %q", tags, err, c.want)
			}
			if after := state(t, repo); after != before {
				t.Errorf("was\n%s\nis\n%s", before, after)
			}
		})
	}
}

func TestSumsStandWhereTheGoCommandPutsThem(t *testing.T) {
	got := replaceSums("a.com/x v1.0.0 h1:x=\n"+root+" v0.1.0 h1:old=\n"+root+" v0.1.0/go.mod h1:old=\nz.com/x v1.0.0 h1:x=\n",
		[]string{root + " v0.10.0 h1:new=\n" + root + " v0.10.0/go.mod h1:new=\n"})
	want := "a.com/x v1.0.0 h1:x=\n" + root + " v0.10.0 h1:new=\n" + root + " v0.10.0/go.mod h1:new=\nz.com/x v1.0.0 h1:x=\n"
	if got != want {
		t.Errorf("got\n%s", got)
	}
}
