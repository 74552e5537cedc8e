// Command build bundles the client into ../dist, from where npm and the plugin client
// publish it. Run it in its folder:
//
//	go run .          writes dist and prints the sizes
//	go run . -check   fails if what is committed is something else
//
// It also fails if the core is larger than it may be.
package main

import (
	"bytes"
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
	dist := filepath.Join(root, "dist")
	if check {
		return compare(dist, files)
	}
	if err := os.RemoveAll(dist); err != nil {
		return err
	}
	if err := os.Mkdir(dist, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		if err := os.WriteFile(filepath.Join(dist, f.name), f.data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// compare reports the first difference between a folder and the files.
func compare(dist string, files []file) error {
	entries, err := os.ReadDir(dist)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !slices.ContainsFunc(files, func(f file) bool { return f.name == e.Name() }) {
			return fmt.Errorf("dist/%s is not made by the build", e.Name())
		}
	}
	for _, f := range files {
		committed, err := os.ReadFile(filepath.Join(dist, f.name))
		if err != nil {
			return err
		}
		if !bytes.Equal(committed, f.data) {
			return fmt.Errorf("dist/%s is not what the sources make: run go run . in clients/js/build", f.name)
		}
	}
	return nil
}
