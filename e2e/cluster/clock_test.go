package cluster

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// wall is what reads the clock of the wall, or loses the monotonic one.
var wall = regexp.MustCompile(`\.Unix(Nano|Milli|Micro)?\(|time\.Unix|\.Round\(0\)`)

// A node whose clock is set does as before: what nodes have in common is decided by
// monotonic clocks alone. Redis and NATS forget what is old by clocks of their own.
func TestNoWallClockDecides(t *testing.T) {
	files := 0
	for _, dir := range []string{"../../plugins/cluster/redis", "../../plugins/cluster/nats", "../../plugins/cluster/nats/embedded", "../../websocket/internal/cluster", "../../websocket/internal/room"} {
		names, _ := filepath.Glob(filepath.Join(dir, "*.go"))
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			source, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for i, line := range strings.Split(string(source), "\n") {
				if wall.MatchString(line) {
					t.Errorf("%s:%d: %s", name, i+1, strings.TrimSpace(line))
				}
			}
		}
	}
	if files < 20 {
		t.Errorf("only %d files", files)
	}
}
