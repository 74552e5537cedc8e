package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/nextrush/nextrush/internal/listing"
)

// routes runs the program in a folder; its App writes its routes into a file instead of
// listening.
func routes(ctx context.Context, args []string, t terminal) error {
	flags := flag.NewFlagSet("routes", flag.ContinueOnError)
	asJSON := flags.Bool("json", false, "print them as JSON, for programs")
	patience := flags.Duration("timeout", time.Minute, "how long the program may take until it calls Listen")
	dir, err := parseFolder(flags, args, t)
	if err != nil {
		return err
	}
	all, err := listed(ctx, dir, *patience, t)
	switch {
	case err != nil:
		return fmt.Errorf("routes: %w", err)
	case *asJSON:
		enc := json.NewEncoder(t.out)
		enc.SetIndent("", "  ")
		return enc.Encode(all)
	case len(all) == 0:
		fmt.Fprintln(t.err, "the program has no routes")
		return nil
	}
	for i := range all {
		all[i].Source = near(all[i].Source)
	}
	_, err = fmt.Fprint(t.out, listing.Table(all))
	return err
}

// near is the path of a file from here, if it is below.
func near(file string) string {
	here, err := os.Getwd()
	if err != nil {
		return file
	}
	path, err := filepath.Rel(here, file)
	if err != nil || !filepath.IsLocal(path) {
		return file
	}
	return path
}

func listed(ctx context.Context, dir string, patience time.Duration, t terminal) ([]listing.Route, error) {
	source, err := locate(ctx, dir)
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "nextrush")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	file, err := source.build(ctx, temp, t.err)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, file)
	cmd.Dir, cmd.Stdout, cmd.Stderr = source.work, t.err, t.err
	cmd.WaitDelay = time.Second
	out := filepath.Join(temp, "routes.json")
	cmd.Env = append(os.Environ(), listing.Env+"="+out)
	ended := cmd.Run()
	all, err := listing.Read(out)
	switch {
	case !errors.Is(err, fs.ErrNotExist):
		return all, err // however the program takes it that Listen has returned
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("the program did not call App.Listen within %v and was stopped: only Listen lists routes", patience)
	case ended != nil:
		return nil, fmt.Errorf("the program ended before it called App.Listen: %w", ended)
	}
	return nil, errors.New("the program has ended without calling App.Listen, which lists the routes")
}
