package main

import (
	"context"
	"flag"
	"fmt"
	"os"
)

// listRoutes makes App.Listen print the routes.
const listRoutes = "NEXTRUSH_LIST_ROUTES=1"

// routes runs the program in a folder; its App prints its routes instead of
// listening.
func routes(ctx context.Context, args []string, t terminal) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	dir, err := parse(flag.NewFlagSet("routes", flag.ContinueOnError), args, t, "DIR")
	if err != nil {
		return err
	}
	cmd := goTool(ctx, dir, t, "run", ".")
	cmd.Stdout = t.out
	cmd.Env = append(os.Environ(), listRoutes)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("routes: go run: %w", err)
	}
	return nil
}
