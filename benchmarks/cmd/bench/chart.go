package main

import (
	"fmt"
	"html"
	"strings"
)

const (
	barHeight  = 16 // pixels
	barSpace   = 480
	labelSpace = 130
	titleSpace = 30
)

// chart draws a bar for each server's median, a group for each case, scaled to
// the longest bar of its group.
func chart(cases []benchCase, results []map[string][]sample) string {
	var b strings.Builder
	y := 0
	for i, c := range cases {
		y = group(&b, y, c, results[i])
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">
<rect width="100%%" height="100%%" fill="#fff"/>
%s</svg>
`, labelSpace+barSpace+120, y+10, b.String())
}

func group(b *strings.Builder, y int, c benchCase, samples map[string][]sample) int {
	fmt.Fprintf(b, `<text x="8" y="%d" font-weight="bold">%s (%s)</text>`+"\n", y+20, html.EscapeString(c.name), c.unit)
	y += titleSpace
	longest := 0.0
	for _, lib := range c.libs {
		longest = max(longest, median(figures(c, samples[lib])))
	}
	for _, lib := range c.libs {
		bar(b, y, lib, median(figures(c, samples[lib])), longest)
		y += barHeight + 4
	}
	return y
}

func bar(b *strings.Builder, y int, lib string, value, longest float64) {
	colour := "#b8c4d0"
	if strings.HasPrefix(lib, "nextrush") {
		colour = "#d9480f"
	}
	width := 0.0
	if longest > 0 {
		width = value / longest * barSpace
	}
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, labelSpace-8, y+12, html.EscapeString(lib))
	fmt.Fprintf(b, `<rect x="%d" y="%d" width="%.1f" height="%d" fill="%s"/>`, labelSpace, y, width, barHeight, colour)
	fmt.Fprintf(b, `<text x="%.1f" y="%d">%.2f</text>`+"\n", labelSpace+width+6, y+12, value)
}
