package repo

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	jsOption  = regexp.MustCompile(`(?m)^  (\w+)\?: `)
	jsDefault = regexp.MustCompile(`\b(\w+)(?:: | = )(\d[\d_]*)`) // in sources, and in tables
)

// The guide of the client has all its options, with their defaults.
func TestTheOptionsOfTheClientAreThoseOfItsSources(t *testing.T) {
	_, options, _ := strings.Cut(read(t, "clients/js/types/index.d.ts"), "export interface Options {")
	options, _, _ = strings.Cut(options, "\n}")
	var names []string
	for _, m := range jsOption.FindAllStringSubmatch(options, -1) {
		names = append(names, m[1])
	}
	defaults := make(map[string]string)
	for _, file := range []string{"socket", "connection", "settings"} {
		for line := range strings.Lines(read(t, "clients/js/src/"+file+".ts")) {
			if strings.Contains(line, " } = o;") || file == "settings" {
				addDefaults(defaults, line)
			}
		}
	}
	_, table, _ := strings.Cut(read(t, "docs/client.md"), "\n### Options\n")
	table, _, _ = strings.Cut(table, "\n## ")
	var listed []string
	said := make(map[string]string)
	for _, cells := range tableRows(table) {
		name := strings.Trim(cells[0], "`")
		listed = append(listed, name)
		addDefaults(said, name+": "+strings.TrimLeft(cells[2], "`"))
	}
	slices.Sort(names)
	if slices.Sort(listed); !slices.Equal(listed, names) {
		t.Errorf("docs/client.md has the options %v; the client has %v", listed, names)
	}
	if len(defaults) != 10 {
		t.Errorf("the sources have the defaults %v", defaults)
	}
	for name, value := range defaults {
		if said[name] != value {
			t.Errorf("docs/client.md says that the default of %s is %q; it is %s", name, said[name], value)
		}
	}
}

func addDefaults(to map[string]string, text string) {
	for _, m := range jsDefault.FindAllStringSubmatch(text, -1) {
		to[m[1]] = strings.ReplaceAll(m[2], "_", "")
	}
}
