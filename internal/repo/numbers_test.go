package repo

import (
	"regexp"
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
