// Command nextrush makes a project, runs it while you work on it, lists the routes of a
// program, and talks to servers:
//
//	nextrush new NAME        a project that builds and passes its tests
//	nextrush dev [DIR]       runs a program, again after each change, and reloads its pages
//	nextrush routes [DIR]    the routes of the program in a folder
//	nextrush types URL       TypeScript declarations of a server's events
//	nextrush ws URL          an interactive WebSocket client
//	nextrush bench URL       requests or messages a second, and how long they take
//
// nextrush help COMMAND tells more. The exit status is 2 for a mistake in the arguments, and
// 1 for any other failure.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"strings"
)

// terminal is what a command reads and writes.
type terminal struct {
	in       io.Reader
	out, err io.Writer
}

type command struct {
	name, args, does string
	run              func(context.Context, []string, terminal) error
}

func commands() []command {
	return []command{
		{"new", "[-kind KIND] [-replace DIR] NAME", "makes a project in a new folder", newProject},
		{"dev", "[-addr ADDR] [-watch EXTENSIONS] [DIR] [-- ARGUMENTS]", "runs a program, again after each change, and reloads its pages", dev},
		{"routes", "[-json] [DIR]", "lists the routes of a program", routes},
		{"types", `[-H "Name: value"]... [-o FILE | -check FILE] URL`, "writes TypeScript declarations of a server's events", types},
		{"ws", `[-H "Name: value"]... [-protocol NAME] URL`, "talks to a WebSocket server", talk},
		{"bench", "[-conns N] [-duration D] [-size BYTES] URL", "measures a server", bench},
		{"version", "", "prints the version", version},
		{"help", "[COMMAND]", "tells what a command does", help},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := execute(ctx, os.Args[1:], terminal{os.Stdin, os.Stdout, os.Stderr})
	stop()
	os.Exit(status)
}

// usageError is a mistake in the arguments of a command, or in its name.
type usageError struct {
	command string // empty: the name
	err     error
}

func (e *usageError) Error() string { return e.err.Error() }

// execute runs a command and returns the exit status.
func execute(ctx context.Context, args []string, t terminal) int {
	err := run(ctx, args, t)
	if err == nil || err == flag.ErrHelp {
		return 0
	}
	var wrong *usageError
	if !errors.As(err, &wrong) {
		fmt.Fprintln(t.err, "nextrush:", err)
		return 1
	}
	if err.Error() != "" {
		fmt.Fprintln(t.err, "nextrush:", err)
	}
	if c := find(wrong.command); c != nil {
		fmt.Fprintln(t.err, c.usage())
	} else {
		fmt.Fprint(t.err, overview())
	}
	return 2
}

func run(ctx context.Context, args []string, t terminal) error {
	if len(args) == 0 {
		return &usageError{err: errors.New("")}
	}
	switch args[0] {
	case "-h", "-help", "--help":
		return help(ctx, args[1:], t)
	case "-v", "-version", "--version":
		return version(ctx, args[1:], t)
	}
	c := find(args[0])
	if c == nil {
		return unknown(args[0])
	}
	return c.run(ctx, args[1:], t)
}

func find(name string) *command {
	for _, c := range commands() {
		if c.name == name {
			return &c
		}
	}
	return nil
}

func (c *command) usage() string {
	return strings.TrimSpace("usage: nextrush " + c.name + " " + c.args)
}

func overview() string {
	text := "usage: nextrush COMMAND [ARGUMENTS]\n\n"
	for _, c := range commands() {
		text += fmt.Sprintf("  %-8s %s\n", c.name, c.does)
	}
	return text + "\nnextrush help COMMAND tells more.\n"
}

func help(ctx context.Context, args []string, t terminal) error {
	names, err := arguments(flag.NewFlagSet("help", flag.ContinueOnError), args, t)
	if err != nil {
		return err
	}
	if len(names) == 0 {
		_, err := fmt.Fprint(t.out, overview())
		return err
	}
	c := find(names[0])
	if c == nil {
		return unknown(names[0])
	}
	return c.run(ctx, []string{"-h"}, t)
}

func version(_ context.Context, args []string, t terminal) error {
	given, err := arguments(flag.NewFlagSet("version", flag.ContinueOnError), args, t)
	if err == nil && len(given) > 0 {
		err = &usageError{"version", fmt.Errorf("version takes no argument, and %q is one", given[0])}
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(t.out, "nextrush %s %s %s/%s\n", built(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// built is the version of the module, or the revision, if the program was built in a clone.
func built() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	return cmp.Or(info.Main.Version, "(devel)")
}

func unknown(name string) error {
	text := fmt.Sprintf("there is no command %q", name)
	for _, c := range commands() {
		if similar(name, c.name, 1+len(c.name)/4) {
			text += fmt.Sprintf(": did you mean %q?", c.name)
			break
		}
	}
	return &usageError{err: errors.New(text)}
}

// similar reports whether b can be made of a by so many edits: a letter is added, removed,
// replaced, or changed with the one beside it.
func similar(a, b string, edits int) bool {
	switch {
	case edits < 0:
		return false
	case a == "" || b == "":
		return len(a)+len(b) <= edits
	case a[0] == b[0]:
		return similar(a[1:], b[1:], edits)
	}
	swapped := len(a) > 1 && len(b) > 1 && a[0] == b[1] && a[1] == b[0]
	edits--
	return similar(a[1:], b, edits) || similar(a, b[1:], edits) || similar(a[1:], b[1:], edits) ||
		swapped && similar(a[2:], b[2:], edits)
}

// arguments reads the flags, before, between or after the other arguments, and returns
// these. It tells what the command does if that is asked for.
func arguments(flags *flag.FlagSet, args []string, t terminal) (given []string, err error) {
	flags.SetOutput(io.Discard)
	for err = flags.Parse(args); err == nil && flags.NArg() > 0; err = flags.Parse(flags.Args()[1:]) {
		given = append(given, flags.Arg(0))
	}
	if err == flag.ErrHelp {
		c := find(flags.Name())
		fmt.Fprintf(t.out, "%s\n\n%s %s.\n", c.usage(), c.name, c.does)
		flags.SetOutput(t.out)
		flags.PrintDefaults()
		return nil, err
	}
	if err != nil {
		return nil, &usageError{flags.Name(), fmt.Errorf("%s: %w", flags.Name(), err)}
	}
	return given, nil
}

// parse reads the flags and the one argument.
func parse(flags *flag.FlagSet, args []string, t terminal, what string) (string, error) {
	given, err := arguments(flags, args, t)
	switch {
	case err != nil:
		return "", err
	case len(given) == 0:
		return "", &usageError{flags.Name(), fmt.Errorf("%s needs exactly one %s", flags.Name(), what)}
	case len(given) > 1:
		return "", &usageError{flags.Name(), fmt.Errorf("%s needs exactly one %s, and %q is left", flags.Name(), what, given[1])}
	}
	return given[0], nil
}

// parseFolder reads the flags and the folder, which may be left out.
func parseFolder(flags *flag.FlagSet, args []string, t terminal) (string, error) {
	given, err := arguments(flags, args, t)
	switch {
	case err != nil:
		return "", err
	case len(given) == 0:
		return ".", nil
	case len(given) > 1:
		return "", &usageError{flags.Name(), fmt.Errorf("%s takes one folder, and %q is left", flags.Name(), given[1])}
	}
	return given[0], nil
}
