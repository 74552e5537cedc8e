package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const about = `CPU time of the server for each message, request or handshake, and memory for each
idle connection, beside others in the same run: the ratios say more than the
figures, which are of a small and noisy virtual machine. Written by
` + "`go run ./cmd/bench -out ../docs` in `benchmarks`" + `.

![All cases as bars](performance.svg)

`

// header says when, where and on what the figures were taken.
func header(b bench) string {
	return fmt.Sprintf("# Performance\n\n"+about+"%s, commit %s, %s, %s/%s, %d × %s.\n"+
		"Medians of %d rounds of %v; server on core %s, load on core %s.\n",
		time.Now().UTC().Format("2006-01-02 15:04 UTC"), commit(), runtime.Version(),
		runtime.GOOS, runtime.GOARCH, cores(), processor(), b.rounds, b.duration, serverCore, loadCore)
}

// commit marks a tree that differs from it with a plus sign.
func commit() string {
	text, err := exec.Command("git", "describe", "--always", "--dirty=+", "--exclude=*").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(text))
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

// table has a line per server, in the order of the case. A server that is far
// from busy waited for the load, and paid for going to sleep and waking up.
func table(c benchCase, samples map[string][]sample) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## %s\n\n| server | %s | × %s | all rounds | per second | server busy |\n|---|--:|--:|--:|--:|--:|\n", c.name, c.unit, c.base)
	base := median(figures(c, samples[c.base]))
	for _, lib := range c.libs {
		all := figures(c, samples[lib])
		mid := median(all)
		ratio := "–"
		if base > 0 {
			ratio = fmt.Sprintf("%.3f", mid/base)
		}
		rate, busy := "–", "–"
		if c.unit != perIdle {
			perSecond := median(rates(samples[lib]))
			rate, busy = fmt.Sprintf("%.0f", perSecond), fmt.Sprintf("%.0f %%", mid*perSecond/1e4)
		}
		fmt.Fprintf(&b, "| %s | %.2f | %s | %s | %s | %s |\n", lib, mid, ratio, list(all), rate, busy)
	}
	return b.String()
}

func figures(c benchCase, samples []sample) []float64 {
	var all []float64
	for _, s := range samples {
		if c.unit == perIdle {
			all = append(all, s.Memory/1024)
			continue
		}
		all = append(all, s.CPU)
	}
	return all
}

func rates(samples []sample) []float64 {
	var all []float64
	for _, s := range samples {
		all = append(all, float64(s.Count)/s.Seconds)
	}
	return all
}

// median is 0 for no values.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	v := slices.Sorted(slices.Values(values))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

func list(values []float64) string {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = fmt.Sprintf("%.2f", v)
	}
	return strings.Join(texts, " ")
}
