package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

const about = `CPU time of the server for each message, delivery, handshake or request, memory for
each idle connection, and latencies, compared with other servers in the same run. Less
is better. The figures come from a small and noisy virtual machine, so look at the
ratios. [benchmarks/README.md](../benchmarks/README.md) says how they are measured and
what is compared. This page is written by
` + "`go run ./cmd/bench -out ../docs` in `benchmarks`" + `.

![All cases as bars](performance.svg)

`

// header says when, where and with what the figures were measured.
func header(b bench) string {
	return fmt.Sprintf("# Performance\n\n"+about+"%s, commit %s, %s, %s/%s, %d × %s.\n"+
		"Medians of %d rounds of %v; server on core %s, load on core %s.\n\n%s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), commit(), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, cores(), processor(), b.rounds, b.duration, serverCore, loadCore, versions())
}

// commit returns the commit, with a plus sign if the tree differs from it.
func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
}

// publishable says why the figures of a run are not for the documentation: one
// round is an anecdote, and what is not committed cannot be measured again.
func publishable(rounds int, changes string) error {
	if rounds < 3 {
		return fmt.Errorf("%d rounds, need 3 or more", rounds)
	}
	if changes != "" {
		return fmt.Errorf("commit or remove what differs from the last commit:\n%s", changes)
	}
	return nil
}

// changes lists the files that differ from the last commit.
func changes() string {
	text, err := exec.Command("git", "status", "--porcelain").CombinedOutput()
	if err != nil {
		return fmt.Sprintf("git status: %v\n%s", err, text)
	}
	return string(text)
}

// versions names what is measured, as go.mod and package.json do.
func versions() string {
	text, err := exec.Command("go", "mod", "edit", "-json").Output()
	if err != nil {
		return "Versions unknown"
	}
	var mod struct {
		Require []struct {
			Path, Version string
			Indirect      bool
		}
	}
	if err := json.Unmarshal(text, &mod); err != nil {
		return "Versions unknown"
	}
	var all []string
	for _, r := range mod.Require {
		if !r.Indirect && !strings.HasPrefix(r.Path, "github.com/nextrush/nextrush") {
			all = append(all, r.Path+" "+r.Version)
		}
	}
	var js struct{ Dependencies map[string]string }
	if b, err := os.ReadFile("js/package.json"); err == nil && json.Unmarshal(b, &js) == nil {
		for _, name := range slices.Sorted(maps.Keys(js.Dependencies)) {
			all = append(all, name+" "+js.Dependencies[name])
		}
	}
	return strings.Join(all, ", ")
}

func cpuinfo() []byte {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return nil
	}
	return b
}

func cores() int { return bytes.Count(cpuinfo(), []byte("processor\t")) }

func processor() string {
	_, after, ok := bytes.Cut(cpuinfo(), []byte("model name\t: "))
	if !ok {
		return runtime.GOARCH
	}
	name, _, _ := bytes.Cut(after, []byte("\n"))
	return string(name)
}

// columns are the heads of a table after the server, by kind; %s is the base.
var columns = map[kind]string{
	cost:    "all rounds | per second | server busy",
	memory:  "all rounds | goroutines/connection",
	latency: "all rounds | 50th | 99.9th | server busy",
	stalled: "all rounds | without that reader | with : without",
	blocked: "all rounds | 99th | longest upgrade | longest HTTP request | last answer, s | cut | MiB | descriptors",
}

// table has a line per server, in the order of the case.
func table(c benchCase, samples map[string][]sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n", c.name)
	if c.note != "" {
		b.WriteString(c.note + "\n\n")
	}
	fmt.Fprintf(&b, "| server | %s | × %s | %s |\n", c.unit, c.base, columns[c.kind])
	b.WriteString("|---|--:|--:" + strings.Repeat("|--:", 1+strings.Count(columns[c.kind], "|")) + "|\n")
	base := median(figures(c, samples[c.base]))
	for _, lib := range c.libs {
		all := figures(c, samples[lib])
		ratio := "–"
		if base > 0 {
			ratio = fmt.Sprintf("%.3f", median(all)/base)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", lib, list(c, median(all)), ratio, list(c, all...), rest(c, lib, samples))
	}
	return b.String()
}

// rest returns the columns that depend on the kind. A server that is far from busy waited
// for the load, and paid for going to sleep and waking up.
func rest(c benchCase, lib string, samples map[string][]sample) string {
	mid := func(f func(sample) float64) float64 { return median(each(samples[lib], f)) }
	busy := 100 * mid(func(s sample) float64 { return s.CPU * float64(s.Count) / s.Seconds / 1e6 })
	switch c.kind {
	case memory:
		if isScript(lib) {
			return "–"
		}
		return fmt.Sprintf("%.2f", mid(func(s sample) float64 { return s.Goroutines }))
	case latency:
		p50, p999 := mid(func(s sample) float64 { return s.P50 }), mid(func(s sample) float64 { return s.P999 })
		return fmt.Sprintf("%.0f | %.0f | %.0f %%", p50, p999, busy)
	case stalled:
		alone := median(figures(c, samples[lib+withoutReader]))
		return fmt.Sprintf("%.0f | %.2f", alone, mid(func(s sample) float64 { return s.P99 })/alone)
	case blocked:
		return fmt.Sprintf("%.1f | %.1f | %.1f | %.2f | %.0f | %.0f | %.0f",
			mid(func(s sample) float64 { return s.P99 / 1e3 }), mid(func(s sample) float64 { return s.Upgrade / 1e3 }),
			mid(func(s sample) float64 { return s.Request / 1e3 }), mid(func(s sample) float64 { return s.Seconds }),
			mid(func(s sample) float64 { return s.Cut }), mid(func(s sample) float64 { return s.Peak / (1 << 20) }),
			mid(func(s sample) float64 { return s.Files }))
	}
	return fmt.Sprintf("%.0f | %.0f %%", mid(func(s sample) float64 { return float64(s.Count) / s.Seconds }), busy)
}

// figures returns what is compared, by round.
func figures(c benchCase, samples []sample) []float64 {
	return each(samples, func(s sample) float64 {
		switch c.kind {
		case memory:
			return s.Memory / 1024
		case latency, stalled:
			return s.P99
		case blocked:
			return s.Max / 1e3
		}
		return s.CPU
	})
}

func each(samples []sample, f func(sample) float64) (values []float64) {
	for _, s := range samples {
		values = append(values, f(s))
	}
	return values
}

// median is 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// list writes the figures, without digits that are finer than a latency's precision.
func list(c benchCase, values ...float64) string {
	digits := map[kind]int{cost: 2, memory: 2, blocked: 1}[c.kind]
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = strconv.FormatFloat(v, 'f', digits, 64)
	}
	return strings.Join(texts, " ")
}
