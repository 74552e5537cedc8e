package repo

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	caseLink = regexp.MustCompile(`docs/performance\.md(#[a-z0-9-]+)`)
	ratio    = regexp.MustCompile(`([a-z./]+) (\d+\.\d{3})`)
)

// A number in the README is that of the case that its row links to.
func TestNumbersOfTheREADMEAreMeasured(t *testing.T) {
	cases, checked := strings.Split(read(t, "docs/performance.md"), "\n## "), 0
	for _, cells := range tableRows(read(t, "README.md")) {
		to := caseLink.FindStringSubmatch(cells[0])
		if to == nil {
			checked += quotients(t, cells)
			continue
		}
		for _, m := range ratio.FindAllStringSubmatch("nextrush "+cells[1]+", "+cells[2], -1) {
			checked++
			row := regexp.MustCompile(`(?m)^\| ` + regexp.QuoteMeta(m[1]) + ` \| [\d.]+ \| ` + regexp.QuoteMeta(m[2]) + ` \|`)
			measured := false
			for _, c := range cases {
				measured = measured || hasAnchor("## "+c, to[1]) && row.MatchString(c)
			}
			if !measured {
				t.Errorf("README.md has %s %s, which is not in docs/performance.md%s: take it from there", m[1], m[2], to[1])
			}
		}
	}
	if checked < 20 {
		t.Errorf("checked only %d numbers", checked)
	}
	if lines := strings.Count(read(t, "README.md"), "\n"); lines > 180 {
		t.Errorf("README.md has %d lines, and readers have ten minutes: move something into docs", lines)
	}
}

// quotients checks a row that links to the table of docs/http-server.md, where the figures
// are no ratios, and returns how many it has checked.
func quotients(t *testing.T, cells []string) (checked int) {
	if !strings.Contains(cells[0], "](docs/http-server.md#what-it-costs)") {
		if ratio.MatchString(cells[len(cells)-1]) {
			t.Errorf("README.md: the row of %s names no page with its numbers", cells[0])
		}
		return 0
	}
	of := "JSON, µs"
	if strings.Contains(cells[0], "idle") {
		of = "10,000 idle connections, KiB each"
	}
	for _, row := range tableRows(read(t, "docs/http-server.md")) {
		if row[0] != of {
			continue
		}
		figures := map[string]string{"net/http": row[1], "fiber": row[2], "nextrush": strings.TrimLeft(row[len(row)-1], "| ")} // behind a cell that is empty
		base, _ := strconv.ParseFloat(row[1], 64)
		for _, m := range ratio.FindAllStringSubmatch("nextrush "+cells[1]+", "+cells[2], -1) {
			checked++
			figure, err := strconv.ParseFloat(figures[m[1]], 64)
			if want := fmt.Sprintf("%.3f", figure/base); err != nil || m[2] != want {
				t.Errorf("README.md has %s %s for %s, want %s", m[1], m[2], of, want)
			}
		}
	}
	return checked
}
