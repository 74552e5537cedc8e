// Command bench measures this framework beside its peers and prints the figures as
// Markdown. It must run in the benchmarks folder, on Linux with taskset:
//
//	go run ./cmd/bench                      # everything, 3 rounds
//	go run ./cmd/bench -only ws -rounds 5   # cases whose name starts with ws
//	go run ./cmd/bench -out ../docs         # performance.md and performance.svg, of a clean tree
//
// Servers of Node.js and Bun take part if npm is installed.
//
// README.md says how it measures and how to read the tables.
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "run cases whose name starts with one of these, comma-separated")
	libs := flag.String("libs", "", "run these servers only, comma-separated")
	rounds := flag.Int("rounds", 3, "rounds per case, 1 to 20")
	out := flag.String("out", "", "folder to write performance.md and performance.svg to")
	before := flag.String("before", "", "worktree of an earlier commit: only it and this one are compared")
	duration := flag.Duration("duration", 3*time.Second, "of one measurement, at most 10s")
	flag.Parse()
	if *rounds < 1 || *rounds > 20 || *duration > 10*time.Second {
		log.Fatal("bench: need 1 to 20 -rounds and a -duration of at most 10s")
	}
	if *out != "" {
		if err := publishable(*rounds, changes()); err != nil {
			log.Fatal("bench: -out: ", err)
		}
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal("bench: ", err)
	}
	b := bench{dir: dir, out: *out, rounds: *rounds, duration: *duration, before: *before}
	chosen := choose(cases, split(*only), split(*libs))
	if b.before != "" {
		chosen = withItself(chosen)
	}
	err = b.run(chosen)
	os.RemoveAll(dir)
	if err != nil {
		log.Fatal("bench: ", err)
	}
}

func split(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}

// choose returns the cases and servers that the flags ask for; nil: all.
func choose(all []benchCase, prefixes, libs []string) []benchCase {
	var chosen []benchCase
	for _, c := range all {
		wanted := func(prefix string) bool { return strings.HasPrefix(c.name, prefix) }
		if prefixes != nil && !slices.ContainsFunc(prefixes, wanted) {
			continue
		}
		if libs != nil {
			c.libs = slices.DeleteFunc(slices.Clone(c.libs), func(l string) bool { return !slices.Contains(libs, l) })
		}
		if len(c.libs) > 0 {
			chosen = append(chosen, c)
		}
	}
	return chosen
}

// earlier is nextrush as it was at the commit of -before.
const earlier = "before"

// withItself compares one of our servers with itself at an earlier commit, and with no
// other: nextrush, or the one that -libs has left.
func withItself(chosen []benchCase) (left []benchCase) {
	for _, c := range chosen {
		i := slices.IndexFunc(c.libs, func(lib string) bool { return strings.HasPrefix(lib, "nextrush") })
		if i >= 0 {
			c.base, c.libs = earlier, []string{earlier, c.libs[i]}
			left = append(left, c)
		}
	}
	return left
}

func withoutScripts(chosen []benchCase) (left []benchCase) {
	for _, c := range chosen {
		c.libs = slices.DeleteFunc(slices.Clone(c.libs), isScript)
		if len(c.libs) > 0 {
			left = append(left, c)
		}
	}
	return left
}

// bench is one run of the command.
type bench struct {
	dir      string // of the two binaries
	out      string // of the report; "": printed
	rounds   int
	duration time.Duration
	before   string // worktree of an earlier commit; "": none
}

func (b bench) serve() string { return filepath.Join(b.dir, "serve") }
func (b bench) was() string   { return filepath.Join(b.dir, "was") }
func (b bench) load() string  { return filepath.Join(b.dir, "load") }

// run goes on after a case that fails; the report says so, and run returns the errors.
func (b bench) run(chosen []benchCase) error {
	if _, err := findNPM(); err != nil {
		chosen = withoutScripts(chosen)
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no case left to run")
	}
	if err := b.build(); err != nil {
		return err
	}
	report := header(b)
	fmt.Print(report)
	var failed error
	var done []benchCase
	var results []map[string][]sample
	for _, c := range chosen {
		c, samples, err := b.measure(c)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.name, err))
			report += fmt.Sprintf("\n## %s\n\nFailed: %v.\n", c.name, err)
			continue
		}
		text := table(c, samples)
		fmt.Print(text)
		report += text
		done, results = append(done, c), append(results, samples)
	}
	return errors.Join(failed, b.write(report, chart(done, results)))
}

// write writes the two files, if -out asks for them.
func (b bench) write(report, chart string) error {
	if b.out == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(b.out, "performance.svg"), []byte(chart), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, "performance.md"), []byte(report), 0o644)
}

// withoutReader marks the samples of a server without the stalled reader.
const withoutReader = " alone"

// measure runs all servers of a case, round by round, and returns the case with the rate
// that was used. HTTP servers must all give the same answer.
func (b bench) measure(c benchCase) (benchCase, map[string][]sample, error) {
	if c.kind == latency {
		rate, err := b.halfRate(c)
		if err != nil {
			return c, nil, err
		}
		c.load = append(slices.Clone(c.load), "-rate", strconv.Itoa(rate))
		c.note = fmt.Sprintf("%d a second for all: half of what the slowest Go server reaches at full load.", rate)
	}
	samples := make(map[string][]sample)
	body := ""
	add := func(key, lib string, more ...string) error {
		s, err := b.once(c, lib, more...)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		s.Body = strings.TrimSpace(s.Body)
		if body == "" {
			body = s.Body
		}
		if s.Body != body {
			return fmt.Errorf("%s answers %q, others %q", key, s.Body, body)
		}
		samples[key] = append(samples[key], s)
		return nil
	}
	for range b.rounds {
		for _, lib := range c.libs {
			var err error
			if c.kind == stalled {
				err = errors.Join(add(lib+withoutReader, lib), add(lib, lib, "-stalled"))
			} else {
				err = add(lib, lib)
			}
			if err != nil {
				return c, nil, err
			}
		}
	}
	return c, samples, nil
}

// halfRate returns half of what the slowest Go server reaches, in messages per second.
func (b bench) halfRate(c benchCase) (int, error) {
	peers := slices.DeleteFunc(slices.Clone(c.libs), func(lib string) bool { return isScript(lib) || strings.HasPrefix(lib, "nextrush") })
	if len(peers) == 0 {
		peers = c.libs
	}
	rate := math.Inf(1)
	for _, lib := range peers {
		s, err := b.once(c, lib)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", lib, err)
		}
		rate = min(rate, float64(s.Count)/s.Seconds)
	}
	return max(1, int(rate/2)), nil
}
