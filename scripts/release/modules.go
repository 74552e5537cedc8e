package main

import (
	"encoding/json"
	"fmt"
	"path"
	"strings"
)

const root = "github.com/nextrush/nextrush"

// module is one of those that go.work lists.
type module struct {
	dir      string   // from the root of the repository, with slashes
	path     string   // its import path
	requires []string // paths of the other modules of the repository
}

// released reports whether others can import the module.
func (m module) released() bool { return m.dir == "." || strings.HasPrefix(m.dir, "plugins/") }

func (m module) tag(version string) string { return path.Join(m.dir, version) }

// modules lists the modules of the repository, each after those that it requires.
func modules(repo string) ([]module, error) {
	var work struct{ Use []struct{ DiskPath string } }
	if err := toolJSON(repo, nil, &work, "work", "edit", "-json"); err != nil {
		return nil, err
	}
	var all []module
	for _, use := range work.Use {
		m, err := readModule(repo, path.Clean(use.DiskPath))
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return inOrder(all)
}

func readModule(repo, dir string) (module, error) {
	var file struct {
		Module  struct{ Path string }
		Require []struct{ Path string }
	}
	if err := toolJSON(path.Join(repo, dir), nil, &file, "mod", "edit", "-json"); err != nil {
		return module{}, err
	}
	m := module{dir: dir, path: file.Module.Path}
	for _, r := range file.Require {
		if ours(r.Path) {
			m.requires = append(m.requires, r.Path)
		}
	}
	return m, nil
}

// ours reports whether a path, or the line of go.sum that begins with it, is of
// a module of the repository.
func ours(path string) bool {
	path, _, _ = strings.Cut(path, " ")
	return path == root || strings.HasPrefix(path, root+"/")
}

func inOrder(all []module) ([]module, error) {
	var sorted []module
	done := map[string]bool{}
	for len(sorted) < len(all) {
		before := len(sorted)
		for _, m := range all {
			if !done[m.path] && allIn(done, m.requires) {
				sorted = append(sorted, m)
				done[m.path] = true
			}
		}
		if len(sorted) == before {
			return nil, fmt.Errorf("modules require each other in a circle, or one that go.work does not list")
		}
	}
	return sorted, nil
}

func allIn(set map[string]bool, names []string) bool {
	for _, name := range names {
		if !set[name] {
			return false
		}
	}
	return true
}

func toolJSON(dir string, env []string, v any, args ...string) error {
	out, err := run(dir, env, "go", args...)
	if err != nil {
		return err
	}
	return json.Unmarshal([]byte(out), v)
}
