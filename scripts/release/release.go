package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// From v2 on the paths of the modules would have to change.
var versionForm = regexp.MustCompile(`^v[01]\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$`)

// release makes the version of the repository in a folder, and returns its tags.
func release(repo, version string) (tags []string, err error) {
	all, err := modules(repo)
	if err != nil {
		return nil, err
	}
	for _, m := range all {
		if m.released() {
			tags = append(tags, m.tag(version))
		}
	}
	if err := check(repo, version, tags); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "release")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	tree := filepath.Join(temp, "tree")
	if _, err := git(repo, "worktree", "add", "-q", "--detach", tree); err != nil {
		return nil, err
	}
	defer git(repo, "worktree", "remove", "--force", tree)
	s := stage{version: version, tree: tree, origin: filepath.Join(temp, "origin"), cache: filepath.Join(temp, "cache")}
	commit, err := s.build(all)
	if err != nil {
		return nil, err
	}
	return tags, adopt(repo, commit, tags)
}

// check looks for reasons not to make the version.
func check(repo, version string, tags []string) error {
	if !versionForm.MatchString(version) {
		return fmt.Errorf("%q is not a version like v0.1.0", version)
	}
	status, err := git(repo, "status", "--porcelain")
	if err != nil {
		return err
	}
	if status != "" {
		return fmt.Errorf("the tree is not clean:\n%s", status)
	}
	for _, tag := range tags {
		if _, err := git(repo, "rev-parse", "-q", "--verify", "refs/tags/"+tag); err == nil {
			return fmt.Errorf("the tag %s is there already", tag)
		}
	}
	changelog, err := os.ReadFile(filepath.Join(repo, "CHANGELOG.md"))
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(changelog), "\n## ")
	section, _, _ := strings.Cut(rest, "\n## ")
	title, text, _ := strings.Cut(section, "\n")
	if name, _, _ := strings.Cut(title, " "); name != version || strings.TrimSpace(text) == "" {
		return fmt.Errorf("CHANGELOG.md begins with %q instead of a section %q", "## "+title, "## "+version)
	}
	return nil
}

// adopt moves the branch to the commit and sets the tags, or does neither.
func adopt(repo, commit string, tags []string) error {
	base, err := git(repo, "rev-parse", "HEAD")
	if err != nil {
		return err
	}
	if _, err := git(repo, "merge", "-q", "--ff-only", commit); err != nil {
		return err
	}
	var refs strings.Builder
	for _, tag := range tags {
		fmt.Fprintf(&refs, "create refs/tags/%s %s\n", tag, commit)
	}
	set := exec.Command("git", "update-ref", "--stdin") // all of them or none
	set.Dir, set.Stdin = repo, strings.NewReader(refs.String())
	if out, err := set.CombinedOutput(); err != nil {
		_, undo := git(repo, "reset", "-q", "--keep", base)
		return errors.Join(fmt.Errorf("tags: %w\n%s", err, out), undo)
	}
	return nil
}

// stage is where a version is made before the repository gets it.
type stage struct {
	version string
	tree    string // a work tree of the repository
	origin  string // a bare repository that the go command takes for the public one
	cache   string // of modules
}

// build returns the commit of the version. A module's hash is needed for the
// go.sum of those that require it, and is the same in any commit with its files:
// so each module is tagged, for this alone, as soon as it is complete.
func (s stage) build(all []module) (commit string, err error) {
	if _, err := git(s.tree, "clone", "-q", "--bare", "--shared", ".", s.origin); err != nil {
		return "", err
	}
	if err := s.editWork(); err != nil {
		return "", err
	}
	if _, err := git(s.tree, "commit", "-q", "--allow-empty", "-am", "Release "+s.version); err != nil {
		return "", err
	}
	sums := map[string]string{}
	for _, m := range all {
		if err := s.edit(m, sums); err != nil {
			return "", fmt.Errorf("%s: %w", m.path, err)
		}
		if _, err := git(s.tree, "commit", "-q", "--amend", "--allow-empty", "--no-edit", "-a"); err != nil {
			return "", err
		}
		if !m.released() {
			continue
		}
		if _, err := git(s.tree, "push", "-q", "--no-verify", s.origin, "HEAD:refs/tags/"+m.tag(s.version)); err != nil {
			return "", err
		}
		if sums[m.path], err = s.sum(m); err != nil {
			return "", err
		}
	}
	return git(s.tree, "rev-parse", "HEAD")
}

// editWork has go.work replace the version, which is not published yet.
func (s stage) editWork() error {
	old := regexp.MustCompile(`(?m)^(\s+` + regexp.QuoteMeta(root) + `\S*) \S+ =>`)
	return rewrite(filepath.Join(s.tree, "go.work"), func(text string) string {
		return old.ReplaceAllString(text, "${1} "+s.version+" =>")
	})
}

// edit writes the version and the hashes of what a module requires.
func (s stage) edit(m module, sums map[string]string) error {
	if len(m.requires) == 0 {
		return nil
	}
	args := []string{"mod", "edit"}
	var lines []string
	for _, path := range m.requires {
		args = append(args, "-require="+path+"@"+s.version)
		lines = append(lines, sums[path])
	}
	dir := filepath.Join(s.tree, filepath.FromSlash(m.dir))
	if _, err := run(dir, nil, "go", args...); err != nil {
		return err
	}
	slices.Sort(lines)
	return rewrite(filepath.Join(dir, "go.sum"), func(text string) string { return replaceSums(text, lines) })
}

// replaceSums puts the lines where the go command has them, instead of those of
// the version before.
func replaceSums(text string, lines []string) string {
	others := slices.DeleteFunc(slices.Collect(strings.Lines(text)), ours)
	at, _ := slices.BinarySearch(others, root)
	return strings.Join(slices.Insert(others, at, lines...), "")
}

// sum returns the lines of go.sum for a module, whose tag origin has.
func (s stage) sum(m module) (string, error) {
	env := []string{
		"GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE=" + s.cache, "GOPROXY=direct", "GOSUMDB=off", "GONOPROXY=", "GOVCS=*:all",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=url." + s.origin + ".insteadOf", "GIT_CONFIG_VALUE_0=https://" + root,
	}
	var got struct{ Sum, GoModSum string }
	if err := toolJSON(filepath.Dir(s.tree), env, &got, "mod", "download", "-json", m.path+"@"+s.version); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s %s %s\n%[1]s %[2]s/go.mod %[4]s\n", m.path, s.version, got.Sum, got.GoModSum), nil
}

func rewrite(file string, change func(string) string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(change(string(text))), 0o644)
}

func git(dir string, args ...string) (string, error) { return run(dir, nil, "git", args...) }

// run returns what a program prints; its error has what it complains about.
func run(dir string, env []string, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("%s %s: %w\n%s%s", name, args[0], err, out, exit.Stderr)
	}
	return strings.TrimSpace(string(out)), err
}
