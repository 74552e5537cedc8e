package main

import (
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const rest = " S 1 2 3 4 5 6 7 8 9 10 120 34 0 0 20 0"
	for _, c := range []struct {
		name, stat string
		want       time.Duration
		fails      bool
	}{
		{"adds user and system time", "42 (serve)" + rest, 1540 * time.Millisecond, false},
		{"skips a name with spaces and brackets", "42 (a) b (c)" + rest, 1540 * time.Millisecond, false},
		{"refuses a short line", "42 (serve) S 1 2", 0, true},
		{"refuses words for numbers", "42 (serve) S 1 2 3 4 5 6 7 8 9 10 x 34", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := parseStat([]byte(c.stat))
			if got != c.want || (err != nil) != c.fails {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}
