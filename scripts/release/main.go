// Command release makes a version of all modules of this repository:
//
//	go run ./scripts/release v0.1.0
//
// It makes one commit, in which every go.mod requires the other modules at the
// version and go.work replaces that version by the folders beside it, and tags
// the root and each plugin there: v0.1.0, plugins/auth/v0.1.0 and so on. The tree
// must be clean, and CHANGELOG.md must begin with a section for the version.
// Nothing is published: the command prints what to push. If it fails, the
// repository is as before.
//
// With -tidy it runs go mod tidy in all modules as if go.work were in force.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	tidyOnly := flag.Bool("tidy", false, "tidy all modules instead")
	flag.Usage = func() { fmt.Fprintln(os.Stderr, "usage: go run ./scripts/release VERSION | -tidy") }
	flag.Parse()
	if *tidyOnly != (flag.NArg() == 0) || flag.NArg() > 1 {
		flag.Usage()
		os.Exit(2)
	}
	if err := do(*tidyOnly, flag.Arg(0)); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func do(tidyOnly bool, version string) error {
	if tidyOnly {
		return tidy(".")
	}
	tags, err := release(".", version)
	if err == nil {
		fmt.Println("git push --atomic origin HEAD", strings.Join(tags, " "))
	}
	return err
}
