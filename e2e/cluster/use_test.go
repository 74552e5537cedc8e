package cluster

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// use is what processes use of the CPU.
type use struct {
	who    string
	pids   []int
	before time.Duration
}

func newUse(who string, pids ...int) *use {
	u := &use{who: who, pids: pids}
	u.before = u.total()
	return u
}

func (u *use) since() time.Duration { return u.total() - u.before }

// total reads what Linux counts, in hundredths of a second.
func (u *use) total() (sum time.Duration) {
	for _, pid := range u.pids {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		_, after, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(after); len(fields) > 12 {
			user, _ := strconv.Atoi(fields[11])
			system, _ := strconv.Atoi(fields[12])
			sum += time.Duration(user+system) * 10 * time.Millisecond
		}
	}
	return sum
}
