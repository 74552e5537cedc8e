// Package release tests a release of this repository, as its users get it.
package release

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

const root = "github.com/nextrush/nextrush"

// TestStrangersGetEachModule gets each module of a release, alone, into an empty module
// with an empty module cache, builds the program of its guide and runs its Examples. Then
// it does the same with a newer core.
func TestStrangersGetEachModule(t *testing.T) {
	repo := clone(t)
	release(t, repo, "v0.1.0")
	write(t, filepath.Join(repo, "newer.go"), "package nextrush\n\n// Newer is not in v0.1.0.\nconst Newer = true\n")
	release(t, repo, "v0.2.0")
	p := publish(t, repo, "v0.1.0")

	t.Run("the command", p.testCommand)
	for _, module := range p.modules {
		t.Run(module, func(t *testing.T) { p.testModule(t, module) })
	}
	t.Run("the tree", p.testTree)
}

func (p public) testModule(t *testing.T, module string) {
	s := p.stranger(t)
	write(t, filepath.Join(s.dir, "main.go"), p.guide(t, module))
	s.do("go", "get", module+"@v0.1.0")
	s.uses(module)
	s.wants(root, "v0.1.0")
	if module == root {
		return
	}
	s.do("go", "get", root+"@v0.2.0")
	write(t, filepath.Join(s.dir, "newer.go"), "package main\n\nimport \""+root+"\"\n\nvar _ = nextrush.Newer\n")
	s.uses(module)
	s.wants(root, "v0.2.0")
	s.wants(module, "v0.1.0")
}

func (p public) testCommand(t *testing.T) {
	s := p.stranger(t)
	s.do("go", "install", root+"/cmd/nextrush@v0.1.0")
	s.do(filepath.Join(p.bin, "nextrush"), "new", "example.com/shop")
	s.dir = filepath.Join(s.dir, "shop")
	s.do("go", "build", "-o", "shop", ".")
	s.wants(root, "v0.2.0") // the latest
}

// testTree checks the tree of the release: go mod tidy does not change its go.mod and
// go.sum after the modules have been published, and before that it builds without them.
func (p public) testTree(t *testing.T) {
	for dir := range strings.SplitSeq(must(t, p.repo, "go", "list", "-m", "-f", "{{.Dir}}"), "\n") {
		s := shell{t: t, dir: dir, env: p.env}
		s.do("go", "mod", "tidy", "-diff")
		s.env = []string{"GOPROXY=off"}
		s.do("go", "list", "-deps", "./...")
	}
}

// guide returns the first program in the guides that imports the module.
func (p public) guide(t *testing.T, module string) string {
	t.Helper()
	pages, err := filepath.Glob(filepath.Join(p.repo, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(pages, filepath.Join(p.repo, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(text), "```go\n")[1:] {
			block, _, _ := strings.Cut(part, "```")
			if strings.Contains(block, "\t\""+module+"\"\n") && strings.Contains(block, "func main()") {
				return block
			}
		}
	}
	t.Fatalf("no guide has a program that imports %s", module)
	return ""
}

// clone copies the files of this repository into a repository of their own.
func clone(t *testing.T) string {
	t.Helper()
	here := must(t, ".", "git", "rev-parse", "--show-toplevel")
	dir := t.TempDir()
	for name := range strings.SplitSeq(must(t, here, "git", "ls-files", "--cached", "--others", "--exclude-standard"), "\n") {
		text, err := os.ReadFile(filepath.Join(here, name))
		if os.IsNotExist(err) {
			continue // removed, but not committed
		}
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	must(t, dir, "git", "init", "-q", "-b", "main")
	must(t, dir, "git", "config", "user.name", "Release")
	must(t, dir, "git", "config", "user.email", "release@example.com")
	return dir
}

// release adds a version to the changelog and makes it.
func release(t *testing.T, repo, version string) {
	t.Helper()
	write(t, filepath.Join(repo, "CHANGELOG.md"), "# Changelog\n\n## "+version+"\n\n- A change.\n")
	must(t, repo, "git", "add", "-A")
	must(t, repo, "git", "commit", "-q", "-m", "Note "+version)
	must(t, repo, "go", "run", "./scripts/release", version)
}

// public has the released modules as others get them.
type public struct {
	repo    string
	modules []string
	env     []string
	bin     string
}

// publish fills a GOPROXY with the modules of all tags, as the go command makes them from
// the public repository; modules lists those of the first version. Other modules come from
// the same places as elsewhere on this machine.
func publish(t *testing.T, repo string, first string) public {
	t.Helper()
	proxy, cache := t.TempDir(), t.TempDir()
	p := public{repo: repo, bin: filepath.Join(cache, "bin")}
	maker := shell{t: t, dir: proxy, env: []string{"GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE=" + proxy,
		"GOPROXY=direct", "GOSUMDB=off", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + repo + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + root}}
	download := []string{"mod", "download"}
	for tag := range strings.SplitSeq(must(t, repo, "git", "tag"), "\n") {
		module, version := path.Join(root, path.Dir(tag)), path.Base(tag)
		download = append(download, module+"@"+version)
		if version == first {
			p.modules = append(p.modules, module)
		}
	}
	maker.do("go", download...)
	proxies := []string{fileProxy(proxy), fileProxy(must(t, repo, "go", "env", "GOMODCACHE")), must(t, repo, "go", "env", "GOPROXY")}
	// With trimpath, unchanged packages are compiled only once.
	p.env = []string{"GOWORK=off", "GOFLAGS=-mod=mod -modcacherw -trimpath", "GOMODCACHE=" + cache,
		"GOPROXY=" + strings.Join(proxies, ","), "GONOSUMDB=" + root, "GOBIN=" + p.bin}
	return p
}

func fileProxy(cache string) string { return "file://" + filepath.Join(cache, "cache", "download") }

// stranger returns a shell in a new, empty module.
func (p public) stranger(t *testing.T) shell {
	s := shell{t: t, dir: t.TempDir(), env: p.env}
	s.do("go", "mod", "init", "example.com/stranger")
	return s
}

// shell runs commands in a folder, with these variables added to the environment.
type shell struct {
	t   *testing.T
	dir string
	env []string
}

func (s shell) do(name string, args ...string) string {
	s.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), s.env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, problems.String())
	}
	return strings.TrimSpace(string(out))
}

// uses builds the program and runs the Examples of a module.
func (s shell) uses(module string) {
	s.t.Helper()
	s.do("go", "build", "-o", "program", ".")
	s.do("go", "test", "-run", "^Example", module)
}

func (s shell) wants(module, version string) {
	s.t.Helper()
	if got := s.do("go", "list", "-m", "-f", "{{.Version}}", module); got != version {
		s.t.Errorf("%s is at %s, want %s", module, got, version)
	}
}

func must(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	return shell{t: t, dir: dir}.do(name, args...)
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
