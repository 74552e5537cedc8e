// Package repo has tests only: they check what holds for the whole repository
// and for no package alone. Packages import each other one way, exported names
// are documented, and what the guides name exists and compiles.
package repo

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the tests in the root of the repository.
func TestMain(m *testing.M) {
	if err := os.Chdir("../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
