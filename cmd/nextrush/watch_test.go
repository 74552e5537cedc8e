package main

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
)

func TestTheWatcherLooksAtWhatProgramsAreMadeOf(t *testing.T) {
	w := watcher{t.TempDir(), append(split("json, .md"), extensions...)}
	for file, matters := range map[string]bool{
		"main.go": true, "go.mod": true, "views/home.html": true, "public/deep/er/style.css": true, "data.json": true, "a.md": true,
		"main_test.go": false, "app": false, "app.exe": false, "app.log": false, "app.db": false, ".git/x.go": false, "web/node_modules/a/b.js": false,
		"testdata/x.go": false, "vendor/a/a.go": false, "main.go~": false, ".main.go.swp": false, ".#main.go": false, "#main.go#": false, "4913": false,
	} {
		before := w.look()
		path := filepath.Join(w.root, filepath.FromSlash(file))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		save(t, path, "x")
		after := w.look()
		if maps.Equal(before, after) == matters {
			t.Errorf("%s matters: %v, want %v", file, !matters, matters)
		}
		if matters && w.changes(before, after) != filepath.FromSlash(file) {
			t.Errorf("%s: %s", file, w.changes(before, after))
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if !maps.Equal(before, w.look()) || matters && w.changes(after, before) != filepath.FromSlash(file) {
			t.Errorf("%s is there after it was removed", file)
		}
	}
	if got := w.changes(snapshot{}, snapshot{filepath.Join(w.root, "a"): {}, filepath.Join(w.root, "b"): {1, 1}}); got != "b" {
		t.Error(got)
	}
}
