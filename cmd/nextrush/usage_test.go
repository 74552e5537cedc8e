package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestHelpGoesToTheOutputAndMistakesGoToTheErrors(t *testing.T) {
	for _, c := range []struct {
		args     string
		status   int
		out, err string // what is in them; empty: nothing is
	}{
		{"help", 0, "  routes   lists", ""},
		{"-h", 0, "  routes   lists", ""},
		{"--help", 0, "  routes   lists", ""},
		{"help bench", 0, "usage: nextrush bench [-conns N]", ""},
		{"help version", 0, "usage: nextrush version\n", ""},
		{"help help", 0, "usage: nextrush help [COMMAND]", ""},
		{"-h ws", 0, "-protocol string", ""},
		{"ws -h", 0, "-protocol string", ""},
		{"ws ws://localhost --help", 0, "-protocol string", ""},
		{"version", 0, "nextrush (devel) go1.", ""},
		{"-v", 0, "nextrush (devel) go1.", ""},
		{"--version", 0, "nextrush (devel) go1.", ""},
		{"", 2, "", "usage: nextrush COMMAND"},
		{"serve", 2, "", `there is no command "serve"` + "\nusage: nextrush COMMAND"},
		{"ruotes", 2, "", `"ruotes": did you mean "routes"?`},
		{"route", 2, "", `did you mean "routes"?`},
		{"typess", 2, "", `did you mean "types"?`},
		{"New", 2, "", `did you mean "new"?`},
		{"help neww", 2, "", `did you mean "new"?`},
		{"version 2", 2, "", "version takes no argument"},
		{"ws", 2, "", "ws needs exactly one URL\nusage: nextrush ws"},
		{"ws a b", 2, "", `"b" is left`},
		{"routes a b", 2, "", `"b" is left`},
		{"bench -x a", 2, "", "not defined: -x\nusage: nextrush bench"},
		{"bench a -conns", 2, "", "needs an argument: -conns"},
		{"routes no/folder", 1, "", "is not a folder"},
	} {
		var out, problems bytes.Buffer
		status := execute(t.Context(), strings.Fields(c.args), terminal{strings.NewReader(""), &out, &problems})
		if status != c.status || !holds(out.String(), c.out) || !holds(problems.String(), c.err) {
			t.Errorf("nextrush %s: status %d\n%s%s", c.args, status, &out, &problems)
		}
	}
}

func holds(text, part string) bool {
	if part == "" {
		return text == ""
	}
	return strings.Contains(text, part)
}

func TestNobodyIsToldOfACommandThatIsFarFromWhatHeTyped(t *testing.T) {
	for _, name := range []string{"build", "x", "install", strings.Repeat("é", 20)} {
		if err := unknown(name); strings.Contains(err.Error(), "did you mean") {
			t.Error(err)
		}
	}
}
