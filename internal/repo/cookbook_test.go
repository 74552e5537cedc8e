package repo

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	fence = regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$")
	typed = map[string]bool{"": true, "sh": true, "text": true, "json": true} // what a reader types and sees
)

// TestBlocksOfTheCookbookAreInItsFiles: the tests start the files, so a page shows
// what is in one that it links to. So its Go compiles, too.
func TestBlocksOfTheCookbookAreInItsFiles(t *testing.T) {
	for _, page := range recipes(t) {
		text := read(t, page)
		var files strings.Builder
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			if file := filepath.Join(filepath.Dir(page), m[1]); strings.HasPrefix(file, filepath.FromSlash("examples/cookbook/")) {
				files.WriteString(read(t, file))
			}
		}
		for _, m := range fence.FindAllStringSubmatch(text, -1) {
			if language, block := m[1], m[2]; !typed[language] && !strings.Contains(files.String(), block) {
				t.Errorf("%s: no file of examples/cookbook that it links to has this block of %s:\n%s", page, language, block)
			}
		}
	}
}

// TestTheCookbookListsItsRecipes, as the index by task does, and each recipe links to the
// reference.
func TestTheCookbookListsItsRecipes(t *testing.T) {
	index, tasks := read(t, "docs/cookbook/README.md"), read(t, "docs/README.md")
	for _, page := range recipes(t) {
		name := filepath.Base(page)
		if name != "README.md" && !strings.Contains(index, "]("+name+")") {
			t.Errorf("docs/cookbook/README.md does not list %s", name)
		}
		if !strings.Contains(tasks, "](cookbook/"+name+")") {
			t.Errorf("docs/README.md does not list cookbook/%s", name)
		}
		if text := read(t, page); name != "README.md" && !strings.Contains(text, "](../") {
			t.Errorf("%s does not link to a page of the reference", page)
		}
	}
}

func recipes(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("docs/cookbook/*.md")
	if err != nil || len(list) == 0 {
		t.Fatal("no recipes", err)
	}
	return list
}
