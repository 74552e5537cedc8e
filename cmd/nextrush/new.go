package main

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

//go:embed project
var project embed.FS

const framework = "github.com/nextrush/nextrush"

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
		return fmt.Errorf("new: %q is not the name of a module: use one like example.com/chat", name)
	}
	steps := [][]string{{"get", framework + "@latest"}, {"mod", "tidy"}}
	if *replace != "" {
		path, err := filepath.Abs(*replace)
		if err != nil {
			return fmt.Errorf("new: %w", err)
		}
		steps[0] = []string{"mod", "edit", "-require=" + framework + "@v0.0.0", "-replace=" + framework + "=" + path}
	}
	dir := filepath.Base(name)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return fmt.Errorf("new: %w", err)
	}
	if err := fill(ctx, dir, name, steps, t); err != nil {
		return fmt.Errorf("new: %w", errors.Join(err, os.RemoveAll(dir)))
	}
	fmt.Fprintf(t.out, "%s is ready:\n  cd %s\n", name, dir)
	if work, _ := goTool(ctx, dir, t, "env", "GOWORK").Output(); len(work) > len("off\n") {
		fmt.Fprintf(t.out, "  go work use .    # to join the workspace %s\n", bytes.TrimSpace(work))
	}
	fmt.Fprint(t.out, "  go test ./...\n  go run .\n")
	return nil
}

// fill makes the module in a folder and runs the go commands of steps there.
func fill(ctx context.Context, dir, module string, steps [][]string, t terminal) error {
	if err := goTool(ctx, dir, t, "mod", "init", module).Run(); err != nil {
		return fmt.Errorf("go mod init: %w", err)
	}
	for _, file := range []string{"main.go", "main_test.go", "index.html", "app.js", "style.css"} {
		if err := write(dir, file, module); err != nil {
			return err
		}
	}
	for _, step := range steps {
		err := goTool(ctx, dir, t, step...).Run()
		if err != nil && step[0] == "get" {
			return fmt.Errorf("go get: %w: to use a checkout, add -replace DIR", err)
		}
		if err != nil {
			return fmt.Errorf("go %s: %w", strings.Join(step[:2], " "), err)
		}
	}
	return nil
}

// write makes a file of the project from its template.
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
