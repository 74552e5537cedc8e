package repo

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the policy of middleware.Production blocks, and what browsers ask for if a
// page does not say that there is none.
var pageFaults = map[string]*regexp.Regexp{
	"an inline script": regexp.MustCompile(`<script(\s[^>]*)?>[^<]`),
	"an inline style":  regexp.MustCompile(`<style|\sstyle=`),
	"a handler":        regexp.MustCompile(`\son[a-z]+=`),
	"javascript:":      regexp.MustCompile(`javascript:`),
}

func TestPagesPassTheProductionPolicy(t *testing.T) {
	pages := 0
	err := filepath.WalkDir(".", func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == "node_modules" {
			return filepath.SkipDir
		}
		if d != nil && d.IsDir() && file == filepath.FromSlash("cmd/nextrush/page") { // of the command itself, which has no policy
			return filepath.SkipDir
		}
		name := strings.TrimSuffix(file, ".tmpl")
		if err != nil || d.IsDir() || filepath.Ext(name) != ".html" || strings.Contains(file, "testdata") {
			return err
		}
		pages++
		page, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for what, pattern := range pageFaults {
			if found := pattern.Find(page); found != nil {
				t.Errorf("%s has %s: %q; put it into a file of its own", file, what, found)
			}
		}
		if head := strings.Contains(string(page), "<head>"); head && !strings.Contains(string(page), `rel="icon"`) {
			t.Errorf("%s names no icon, so that browsers ask for /favicon.ico", file)
		}
		return nil
	})
	if err != nil || pages < 8 {
		t.Fatalf("%d pages, %v", pages, err)
	}
}
