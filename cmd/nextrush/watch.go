package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// extensions are those of the files from which programs are made, or that they read when
// they start. What programs write is not among them: they would start for ever.
var extensions = []string{".go", ".mod", ".sum", ".work", ".html", ".htm", ".gohtml", ".tmpl", ".css", ".js", ".mjs", ".svg", ".sql"}

// watcher looks at the files in a folder and below it. It compares times instead of asking
// the system for events: those are missing on network drives and in the folders that
// containers share, and cost a descriptor for each folder, or for each file.
type watcher struct {
	root       string
	extensions []string
}

// stamp differs if a file has changed.
type stamp struct {
	changed int64 // Unix time, ns
	size    int64
}

// snapshot is what a watcher has seen, by path.
type snapshot map[string]stamp

func (w watcher) look() snapshot {
	seen := snapshot{}
	filepath.WalkDir(w.root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil // it has just been removed, or is not for us
		case d.IsDir() && path != w.root && ignored(d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !w.matters(d.Name()):
			return nil
		}
		if info, err := d.Info(); err == nil {
			seen[path] = stamp{info.ModTime().UnixNano(), info.Size()}
		}
		return nil
	})
	return seen
}

// ignored reports a folder with nothing that goes into a program.
func ignored(dir string) bool {
	return strings.HasPrefix(dir, ".") || slices.Contains([]string{"node_modules", "testdata", "vendor"}, dir)
}

// matters leaves out tests, and what editors keep beside a file.
func (w watcher) matters(file string) bool {
	extension := filepath.Ext(file)
	hidden := strings.HasPrefix(file, ".") && file != extension
	return slices.Contains(w.extensions, extension) && !hidden && !strings.HasSuffix(file, "_test.go")
}

// changes names what differs.
func (w watcher) changes(before, after snapshot) string {
	var names []string
	for path, s := range after {
		if before[path] != s {
			names = append(names, path)
		}
	}
	for path := range before {
		if _, ok := after[path]; !ok {
			names = append(names, path)
		}
	}
	if len(names) == 0 {
		return "nothing"
	}
	slices.Sort(names)
	first, err := filepath.Rel(w.root, names[0])
	if err != nil {
		first = names[0]
	}
	if len(names) > 1 {
		return fmt.Sprintf("%s and %d more", first, len(names)-1)
	}
	return first
}
