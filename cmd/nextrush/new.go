package main

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
)

//go:embed project
var templates embed.FS

const framework = "github.com/nextrush/nextrush"

// kind is what a project may be.
type kind struct {
	name, does string
	layers     []string // folders of templates
	modules    []string // of the framework, below it
}

// kinds begins with the default.
var kinds = []kind{
	{"chat", "a page whose visitors talk over sockets", []string{"common", "web", "chat"}, nil},
	{"pages", "pages made on the server, with a form", []string{"common", "web", "pages"}, []string{"/plugins/session"}},
	{"api", "a JSON API that describes itself", []string{"common", "api"}, []string{"/plugins/openapi"}},
}

// project is one that is to be made.
type project struct {
	Module, Folder, Kind string
	kind                 kind
	replace              string // folder of a clone; empty: the released modules
}

func newProject(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("new", flag.ContinueOnError)
	replace := flags.String("replace", "", "folder of a clone to use instead of the released modules")
	name := flags.String("kind", "", "what it is to be: chat, pages or api; empty: chat, or asks if there is a terminal")
	module, err := parse(flags, args, t, "NAME")
	if err != nil {
		return err
	}
	p := project{Module: module}
	if p.Folder, err = folderOf(module); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	if *name == "" && isTerminal(t.in) {
		*name = askKind(t)
	}
	if p.kind, err = findKind(*name); err != nil {
		return &usageError{"new", fmt.Errorf("new: %w", err)}
	}
	p.Kind = p.kind.name
	if *replace != "" {
		if p.replace, err = filepath.Abs(*replace); err != nil {
			return fmt.Errorf("new: %w", err)
		}
	}
	if err := p.make(ctx, t); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	p.tell(ctx, t)
	return nil
}

var moduleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._~-]*(/[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*)*$`)

// folderOf is the last part of a module that is not a version.
func folderOf(module string) (string, error) {
	if !moduleName.MatchString(module) || strings.HasSuffix(module, ".") || strings.Contains(module, "./") {
		return "", fmt.Errorf("%q is not the name of a module: use letters, digits, - _ . and /, as in example.com/chat", module)
	}
	folder := path.Base(module)
	if regexp.MustCompile(`^v[2-9]$|^v[1-9]\d+$`).MatchString(folder) && path.Dir(module) != "." {
		folder = path.Base(path.Dir(module))
	}
	if !filepath.IsLocal(folder) { // such as NUL on Windows
		return "", fmt.Errorf("no folder can be named %q here: use another name", folder)
	}
	return folder, nil
}

func askKind(t terminal) string {
	for _, k := range kinds {
		fmt.Fprintf(t.err, "  %-6s %s\n", k.name, k.does)
	}
	fmt.Fprintf(t.err, "what is it to be? [%s] ", kinds[0].name)
	answer, _ := bufio.NewReader(t.in).ReadString('\n')
	return strings.TrimSpace(answer)
}

func findKind(name string) (kind, error) {
	if name == "" {
		return kinds[0], nil
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return strings.EqualFold(k.name, name) })
	if i < 0 {
		return kind{}, fmt.Errorf("there is no kind %q: give chat, pages or api", name)
	}
	return kinds[i], nil
}

// make fills the folder, or leaves it as it was.
func (p project) make(ctx context.Context, t terminal) error {
	err := os.Mkdir(p.Folder, 0o755)
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	there, err := os.ReadDir(p.Folder)
	if err != nil {
		return err
	}
	if len(there) > 0 {
		return fmt.Errorf("the folder %s is not empty: remove it, or use another name", p.Folder)
	}
	if err := p.fill(ctx, t); err != nil {
		return errors.Join(err, p.empty(made))
	}
	return nil
}

func (p project) empty(remove bool) error {
	if remove {
		return os.RemoveAll(p.Folder)
	}
	written, err := os.ReadDir(p.Folder)
	for _, file := range written {
		err = errors.Join(err, os.RemoveAll(filepath.Join(p.Folder, file.Name())))
	}
	return err
}

func (p project) fill(ctx context.Context, t terminal) error {
	get, err := p.get()
	if err != nil {
		return err
	}
	for _, layer := range p.kind.layers {
		if err := p.write(path.Join("project", layer)); err != nil {
			return err
		}
	}
	for _, step := range [][]string{{"mod", "init", p.Module}, get, {"mod", "tidy"}} {
		err := goTool(ctx, p.Folder, t, step...).Run()
		if err != nil && step[0] == "get" {
			return fmt.Errorf("go get: %w: to use a clone, add -replace DIR", err)
		}
		if err != nil {
			return fmt.Errorf("go %s: %w", strings.Join(step[:2], " "), err)
		}
	}
	return nil
}

// get is the command by which the project has the framework: what its kind needs of what is
// released, or of a clone. All that a program may use is replaced, for what is added later.
func (p project) get() ([]string, error) {
	command, require, version := []string{"get"}, "", "@latest"
	if p.replace != "" {
		command, require, version = []string{"mod", "edit", "-replace=" + framework + "=" + p.replace}, "-require=", "@v0.0.0"
	}
	for _, below := range append([]string{""}, p.kind.modules...) {
		command = append(command, require+framework+below+version)
	}
	if p.replace == "" {
		return command, nil
	}
	err := filepath.WalkDir(filepath.Join(p.replace, "plugins"), func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("-replace %s is not a clone of the framework: %w", p.replace, err)
		}
		if d.Name() == "go.mod" {
			folder := filepath.Dir(name)
			command = append(command, "-replace="+framework+filepath.ToSlash(strings.TrimPrefix(folder, p.replace))+"="+folder)
		}
		return nil
	})
	return command, err
}

// write makes the files of a folder of templates.
func (p project) write(layer string) error {
	return fs.WalkDir(templates, layer, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		to := strings.TrimSuffix(strings.TrimPrefix(name, layer+"/"), ".tmpl")
		if strings.HasSuffix(to, "ignore") {
			to = "." + to // which is not embedded under that name
		}
		text, err := template.New(path.Base(name)).Delims("<<", ">>").ParseFS(templates, name)
		if err != nil {
			return err
		}
		var out bytes.Buffer
		if err := text.Execute(&out, p); err != nil {
			return err
		}
		file := filepath.Join(p.Folder, filepath.FromSlash(to))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return err
		}
		return os.WriteFile(file, out.Bytes(), 0o644)
	})
}

// tell prints what to type next.
func (p project) tell(ctx context.Context, t terminal) {
	fmt.Fprintf(t.out, "%s is ready, %s:\n  cd %s\n", p.Module, p.kind.does, p.Folder)
	if work, _ := goTool(ctx, p.Folder, t, "env", "GOWORK").Output(); len(work) > len("off\n") {
		fmt.Fprintf(t.out, "  go work use .    # to join the workspace %s\n", bytes.TrimSpace(work))
	}
	fmt.Fprint(t.out, "  go test ./...\n")
	if _, err := exec.LookPath("nextrush"); err == nil {
		fmt.Fprint(t.out, "  nextrush dev     # runs it, again after each change\n")
	}
	fmt.Fprint(t.out, "  go run .         # then open http://localhost:3000\n")
}

func goTool(ctx context.Context, dir string, t terminal, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Stderr = t.err
	return cmd
}
