// Command build bundles the client into ../dist, which npm publishes, and compresses what
// the plugin client serves into plugins/client/dist. Run it in its folder:
//
//	go run .          writes both and prints the sizes
//	go run . -check   fails if what is committed is something else
//
// It also fails if the core is larger than it may be.
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	check := flag.Bool("check", false, "compare with what is committed")
	flag.Parse()
	if err := run("..", *check); err != nil {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// run builds the package in a folder.
func run(root string, check bool) error {
	files, err := bundle(root)
	if err != nil {
		return err
	}
	for _, f := range files {
		if limit := limits[f.name]; limit > 0 {
			size := gzipped(f.data)
			fmt.Printf("%-12s %6d B, gzip -9 %5d of %d B\n", f.name, len(f.data), size, limit)
			if size > limit {
				return fmt.Errorf("%s is %d B too large", f.name, size-limit)
			}
		}
	}
	err = put(filepath.Join(root, "dist"), files, check)
	if err != nil {
		return err
	}
	return put(filepath.Join(root, "../../plugins/client/dist"), served(files), check)
}

// put makes a folder have these files and no others, or compares it with them. A packed
// file that is right stays as it is.
func put(dir string, files []file, check bool) error {
	if check {
		return compare(dir, files)
	}
	for i, f := range files {
		if was, err := os.ReadFile(filepath.Join(dir, f.name)); err == nil && isSame(f.name, was, f.data) {
			files[i].data = was
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dir, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare reports the first difference between a folder and the files.
func compare(dir string, files []file) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.ContainsFunc(files, func(f file) bool { return f.name == e.Name() }) {
			return fmt.Errorf("%s is not made by the build", filepath.Join(dir, e.Name()))
		}
	}
	for _, f := range files {
		committed, err := os.ReadFile(filepath.Join(dir, f.name))
		if err != nil {
			return err
		}
		if !isSame(f.name, committed, f.data) {
			return fmt.Errorf("%s is not what the sources make: run go run . in clients/js/build", filepath.Join(dir, f.name))
		}
	}
	return nil
}
