package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// unknown is what go mod tidy requires of a module that is replaced.
const unknown = "v0.0.0-00010101000000-000000000000"

// tidy runs go mod tidy, which does not look at go.work, in all modules, with
// the others replaced by their folders.
func tidy(repo string) error {
	repo, err := filepath.Abs(repo)
	if err != nil {
		return err
	}
	all, err := modules(repo)
	if err != nil {
		return err
	}
	version, err := current(repo)
	if err != nil {
		return err
	}
	var replace, drop []string
	for _, m := range all {
		replace = append(replace, "-replace="+m.path+"="+filepath.Join(repo, m.dir))
		drop = append(drop, "-dropreplace="+m.path)
	}
	for _, m := range all {
		if err := tidyModule(filepath.Join(repo, m.dir), version, replace, drop); err != nil {
			return fmt.Errorf("%s: %w", m.path, err)
		}
	}
	return nil
}

// current returns the version that go.work replaces.
func current(repo string) (string, error) {
	var work struct {
		Replace []struct{ Old struct{ Version string } }
	}
	if err := toolJSON(repo, nil, &work, "work", "edit", "-json"); err != nil {
		return "", err
	}
	if len(work.Replace) == 0 {
		return "", fmt.Errorf("go.work replaces no version")
	}
	return work.Replace[0].Old.Version, nil
}

func tidyModule(dir, version string, replace, drop []string) error {
	temp, err := os.MkdirTemp("", "tidy")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	mod, sum := filepath.Join(temp, "go.mod"), filepath.Join(temp, "go.sum")
	if err := copyFiles(dir, temp); err != nil {
		return err
	}
	for _, args := range [][]string{
		slices.Concat([]string{"mod", "edit"}, replace, []string{mod}),
		{"mod", "tidy", "-modfile=" + mod},
		slices.Concat([]string{"mod", "edit"}, drop, []string{mod}),
	} {
		if _, err := run(dir, nil, "go", args...); err != nil {
			return err
		}
	}
	if err := rewrite(mod, func(text string) string { return strings.ReplaceAll(text, unknown, version) }); err != nil {
		return err
	}
	before, err := os.ReadFile(filepath.Join(dir, "go.sum"))
	if err != nil {
		return err
	}
	siblings := slices.DeleteFunc(slices.Collect(strings.Lines(string(before))), func(line string) bool { return !ours(line) })
	if err := rewrite(sum, func(text string) string { return replaceSums(text, siblings) }); err != nil {
		return err
	}
	return copyFiles(temp, dir)
}

func copyFiles(from, to string) error {
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
