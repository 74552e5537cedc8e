// Command nextrush makes a project, lists the routes of a program, and talks to
// servers:
//
//	nextrush new NAME        a project that builds and passes its test
//	nextrush routes [DIR]    the routes of the program in a folder
//	nextrush types URL       TypeScript declarations of a server's events
//	nextrush ws URL          an interactive WebSocket client
//	nextrush bench URL       requests or messages a second, and how long they take
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
)

const usage = `usage:
  nextrush new [-replace DIR] NAME
  nextrush routes [DIR]
  nextrush types [-H "Name: value"]... [-o FILE | -check FILE] URL
  nextrush ws [-H "Name: value"]... [-protocol NAME] URL
  nextrush bench [-conns N] [-duration D] [-size BYTES] URL
`

// terminal is what a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	if err == flag.ErrHelp {
		os.Exit(2) // the usage has been printed
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nextrush:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, t terminal) error {
	commands := map[string]func(context.Context, []string, terminal) error{
		"new": newProject, "routes": routes, "types": types, "ws": talk, "bench": bench,
	}
	if len(args) == 0 || commands[args[0]] == nil {
		fmt.Fprint(t.err, usage)
	}
	if len(args) == 0 || slices.Contains([]string{"help", "-h", "-help", "--help"}, args[0]) {
		return flag.ErrHelp
	}
	command := commands[args[0]]
	if command == nil {
		return fmt.Errorf("there is no command %q", args[0])
	}
	return command(ctx, args[1:], t)
}

// parse reads the flags and the one argument, before, between or after them.
func parse(flags *flag.FlagSet, args []string, t terminal, what string) (string, error) {
	flags.SetOutput(t.err)
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() == 0 {
		return "", fmt.Errorf("%s needs exactly one %s", flags.Name(), what)
	}
	argument := flags.Arg(0)
	if err := flags.Parse(flags.Args()[1:]); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("%s needs exactly one %s, and %q is left", flags.Name(), what, flags.Arg(0))
	}
	return argument, nil
}
