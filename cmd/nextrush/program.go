package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// source is where the source of a program is.
type source struct {
	dir  string // of its package
	root string // of its module
	work string // where it runs
}

// locate looks for the program in a folder. It runs where the command runs, as with go run,
// or in its own folder if that is of another module.
func locate(ctx context.Context, dir string) (source, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return source{}, fmt.Errorf("%q is not a folder: name that of the program's package main", dir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return source{}, err
	}
	here, err := os.Getwd()
	if err != nil {
		return source{}, err
	}
	env := exec.CommandContext(ctx, "go", "env", "GOMOD")
	env.Dir = dir
	out, err := env.Output()
	if err != nil {
		return source{}, fmt.Errorf("go env: %w: is Go installed? See https://go.dev/doc/install", err)
	}
	s := source{dir: dir, root: dir, work: dir}
	if mod := strings.TrimSpace(string(out)); filepath.Base(mod) == "go.mod" {
		s.root = filepath.Dir(mod)
	}
	if path, err := filepath.Rel(s.root, here); err == nil && filepath.IsLocal(path) {
		s.work = here
	}
	return s, nil
}

// errNotBuilt is one of the go command, which has told why.
var errNotBuilt = errors.New("the program cannot be built")

// build builds the program into an empty folder, and returns its file. What the go command
// complains about goes to problems.
func (s source) build(ctx context.Context, into string, problems io.Writer) (file string, err error) {
	cmd := exec.CommandContext(ctx, "go", "build", "-o", into+string(filepath.Separator), ".")
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, problems, problems
	cmd.Cancel = func() error { return interrupt(cmd.Process) }
	cmd.WaitDelay = 5 * time.Second
	var failed *exec.ExitError
	switch err := cmd.Run(); {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.As(err, &failed):
		return "", errNotBuilt
	case err != nil:
		return "", fmt.Errorf("go build: %w: is Go installed? See https://go.dev/doc/install", err)
	}
	files, err := os.ReadDir(into)
	if err != nil {
		return "", err
	}
	return filepath.Join(into, files[0].Name()), nil
}

// interrupt asks a process to end, if the system knows how.
func interrupt(p *os.Process) error {
	if p.Signal(os.Interrupt) == nil {
		return nil
	}
	return p.Kill()
}
