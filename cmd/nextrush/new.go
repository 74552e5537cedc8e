package main

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"text/template"
)

//go:embed project
var project embed.FS

var moduleName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._~/-]*$`)

// newProject writes a project into a new folder named after the last part of
// its module.
func newProject(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("new", flag.ContinueOnError)
	replace := flags.String("replace", "", "folder of a checkout to use instead of the released module")
	name, err := parse(flags, args, t, "NAME")
	if err != nil {
		return err
	}
	if !moduleName.MatchString(name) {
		return fmt.Errorf("new: %q is no name for a module: use one as in example.com/chat", name)
	}
	dir := filepath.Base(name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	for _, file := range []string{"main.go", "main_test.go", "index.html"} {
		if err := write(dir, file, name); err != nil {
			return fmt.Errorf("new: %w", err)
		}
	}
	steps := [][]string{{"mod", "init", name}, {"mod", "tidy"}}
	if *replace != "" {
		path, err := filepath.Abs(*replace)
		if err != nil {
			return fmt.Errorf("new: %w", err)
		}
		edit := []string{"mod", "edit", "-require=github.com/nextrush/nextrush@v0.0.0", "-replace=github.com/nextrush/nextrush=" + path}
		steps = [][]string{steps[0], edit, steps[1]}
	}
	for _, step := range steps {
		if err := goTool(ctx, dir, t, step...).Run(); err != nil {
			return fmt.Errorf("new: go %s: %w", step[1], err)
		}
	}
	fmt.Fprintf(t.out, "%s is ready:\n  cd %s\n  go test ./...\n  go run .\n", name, dir)
	return nil
}

// write fills in a file of the project. Its Go files are templates, so that
// they are none of this module.
func write(dir, file, module string) error {
	tmpl, err := template.New("").Delims("<<", ">>").ParseFS(project, "project/"+file+".tmpl")
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	if err := tmpl.ExecuteTemplate(f, file+".tmpl", module); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func goTool(ctx context.Context, dir string, t terminal, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Stderr = t.err
	return cmd
}
