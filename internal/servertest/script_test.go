package servertest

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write what net/http answers to testdata")

const goldenFile = "testdata/nethttp.txt"

// cases are all that is compared.
var cases = slices.Concat(
	requestCases, refusalCases, responseCases, connectionCases, bodyCases, flowCases, securityCases, matrixCases, leaveCases,
)

// TestScripts runs every case against every server.
func TestScripts(t *testing.T) {
	golden := readGolden(t)
	recorded := golden
	if *update {
		if only := flag.Lookup("test.run").Value.String(); strings.Contains(only, "/") {
			t.Fatal("-update writes down all cases: let -run name none of them")
		}
		recorded = &transcripts{}
	}
	for _, c := range cases {
		for i, kind := range servers {
			for _, network := range networks {
				if network != "tcp" && (c.tcp || i == 0 || testing.Short()) {
					continue
				}
				t.Run(subtest(c.name, kind.name, network), func(t *testing.T) {
					if !*update {
						t.Parallel()
					}
					got := c.run(t, kind, network)
					if *update && (i == 0 || c.differs[kind.name] != "") {
						recorded.put(t, c.entry(kind), got)
					}
					c.compare(t, kind, recorded, got)
				})
			}
		}
	}
	if *update {
		recorded.write(t)
	}
}

// subtest joins names, in which a slash would be of a deeper test.
func subtest(name, kind, network string) string {
	return strings.ReplaceAll(name, "/", "⁄") + "/" + kind + "/" + network
}

// entry names the transcript in testdata.
func (c testCase) entry(kind serverKind) string {
	if why := c.differs[kind.name]; why != "" {
		return c.name + ", " + kind.name + ": " + why
	}
	return c.name
}

// want is the transcript that a server should have.
func (c testCase) want(kind serverKind, golden *transcripts) string {
	if kind.strict && c.strict != "" {
		return golden.get(c.strict)
	}
	return golden.get(c.entry(kind))
}

func (c testCase) compare(t *testing.T, kind serverKind, golden *transcripts, got string) {
	hint := ""
	if goVersion() != golden.version {
		hint = fmt.Sprintf("\ntestdata is of net/http of %s, this is %s: if %s fails as well, that has changed", golden.version, goVersion(), servers[0].name)
	}
	if want := c.want(kind, golden); got != want {
		t.Errorf("%s answers otherwise.%s\ngot\n%swant\n%s", kind.name, hint, got, want)
	}
}

// goVersion is that of the language, without the patch.
func goVersion() string {
	return regexp.MustCompile(`^go1\.\d+`).FindString(runtime.Version())
}

// transcripts are the content of testdata.
type transcripts struct {
	version string // of Go
	names   []string
	text    map[string]string
}

// put keeps a transcript, which must be the same for all networks.
func (g *transcripts) put(t *testing.T, name, text string) {
	if g.text == nil {
		g.text = make(map[string]string)
	}
	before, ok := g.text[name]
	if !ok {
		g.names = append(g.names, name)
		g.text[name] = text
	} else if before != text {
		t.Errorf("networks differ: got\n%sand before\n%s", text, before)
	}
}

func (g *transcripts) get(name string) string {
	if text, ok := g.text[name]; ok {
		return text
	}
	return "nothing in " + goldenFile + "; look at it, and run with -update\n"
}

const entryMark = "\n== "

func readGolden(t *testing.T) *transcripts {
	g := &transcripts{text: make(map[string]string)}
	b, err := os.ReadFile(goldenFile)
	if err != nil && !*update {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(b), entryMark)
	_, g.version, _ = strings.Cut(strings.TrimSpace(head), "net/http of ")
	for entry := range strings.SplitSeq(rest, entryMark) {
		name, text, _ := strings.Cut(entry, " ==\n")
		g.text[name] = text
	}
	return g
}

func (g *transcripts) write(t *testing.T) {
	var b strings.Builder
	b.WriteString("net/http of " + goVersion() + "\n")
	for _, name := range g.names {
		b.WriteString(entryMark + name + " ==\n" + g.text[name])
	}
	if err := os.WriteFile(goldenFile, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestCasesAreNamed says that each has a name of its own, and that each of the behaviours
// that servers must share has a case.
func TestCasesAreNamed(t *testing.T) {
	seen, numbers := make(map[string]bool), make(map[string]bool)
	for _, c := range cases {
		if seen[c.name] {
			t.Errorf("two cases are named %s", c.name)
		}
		number, _, _ := strings.Cut(c.name, " ")
		seen[c.name], numbers[number] = true, true
	}
	for _, c := range cases {
		if c.strict != "" && !seen[c.strict] {
			t.Errorf("%s is like %s, which is no case", c.name, c.strict)
		}
	}
	for i := range 57 {
		if number := fmt.Sprintf("%02d", i+1); !numbers[number] {
			t.Errorf("no case for behaviour %s", number)
		}
	}
}
