package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float64
		want   float64
	}{
		{"of none is 0", nil, 0},
		{"of one is it", []float64{3}, 3},
		{"of an odd number is the middle one", []float64{9, 1, 2}, 2},
		{"of an even number is between the middle two", []float64{9, 1, 2, 4}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := median(c.values); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestTableComparesWithTheBase(t *testing.T) {
	c := benchCase{name: "x", base: "a", libs: []string{"a", "b"}, unit: perMessage}
	got := table(c, map[string][]sample{
		"a": {{Count: 100, Seconds: 1, CPU: 8}},
		"b": {{Count: 100, Seconds: 1, CPU: 2}},
	})
	for _, want := range []string{"| a | 8.00 | 1.000 |", "| b | 2.00 | 0.250 |"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

func TestChooseKeepsWhatIsAskedFor(t *testing.T) {
	chosen := choose(cases, []string{"ws handshake", "http plain"}, []string{"gws", "nextrush"})
	if len(chosen) != 2 || len(chosen[0].libs) != 2 || len(chosen[1].libs) != 1 {
		t.Errorf("got %+v", chosen)
	}
	if got := len(cases[0].libs); got != len(echoes) {
		t.Errorf("choosing changed the cases: %d servers", got)
	}
}

func TestEveryBaseIsAmongItsServers(t *testing.T) {
	for _, c := range cases {
		if !strings.Contains(strings.Join(c.libs, " ")+" ", c.base+" ") {
			t.Errorf("%s: %s is not measured", c.name, c.base)
		}
	}
}

func TestTablesHaveAsManyCellsAsColumns(t *testing.T) {
	one := []sample{{Count: 10, Seconds: 1, CPU: 8, Memory: 2048, Goroutines: 2, P50: 10, P99: 90, P999: 99,
		Max: 5000, Upgrade: 3000, Request: 2000, Peak: 1 << 20, Files: 7}}
	for kind, want := range map[kind]string{
		cost:    "| a | 8.00 | 1.000 | 8.00 | 10 | 0 % |",
		memory:  "| a | 2.00 | 1.000 | 2.00 | 2.00 |",
		latency: "| a | 90 | 1.000 | 90 | 10 | 99 | 0 % |",
		stalled: "| a | 90 | 1.000 | 90 | 90 | 1.00 |",
		blocked: "| a | 5.0 | 1.000 | 5.0 | 0.1 | 3.0 | 2.0 | 1.00 | 0 | 1 | 7 |",
	} {
		c := benchCase{name: "x", kind: kind, base: "a", libs: []string{"a"}}
		got := table(c, map[string][]sample{"a": one, "a" + withoutReader: one})
		lines := strings.Split(strings.TrimSpace(got), "\n")
		last := lines[len(lines)-1]
		if last != want {
			t.Errorf("got %s\nwant %s", last, want)
		}
		for _, line := range lines[len(lines)-3:] {
			if strings.Count(line, "|") != strings.Count(want, "|") {
				t.Errorf("cells of %q do not fit %q", line, want)
			}
		}
	}
}

func TestVersionsAreThoseOfThePeers(t *testing.T) {
	t.Chdir("../..")
	all := versions()
	if !strings.Contains(all, "github.com/gin-gonic/gin v1.") || strings.Contains(all, "nextrush") || strings.Contains(all, "sonic") {
		t.Error(all)
	}
}

func TestTheDocumentationHasFiguresOfCommitsAndOfThreeRounds(t *testing.T) {
	for _, c := range []struct {
		name    string
		rounds  int
		changes string
		ok      bool
	}{
		{"three rounds of a commit", 3, "", true},
		{"one round", 1, "", false},
		{"two rounds", 2, "", false},
		{"a changed file", 3, " M app.go\n", false},
		{"a new file", 20, "?? new.go\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := publishable(c.rounds, c.changes); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestATreeWithANewFileIsNotClean(t *testing.T) {
	t.Chdir(t.TempDir())
	if changes() == "" {
		t.Error("a folder outside of a repository is clean")
	}
	if out, err := exec.Command("git", "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := changes(); got != "" {
		t.Errorf("an empty repository differs: %s", got)
	}
	if err := os.WriteFile("new.go", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := changes(); got != "?? new.go\n" {
		t.Errorf("got %q", got)
	}
}
