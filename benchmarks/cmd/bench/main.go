// Command bench measures this framework against its peers and prints the
// figures as Markdown. It must run in the benchmarks folder, on Linux with
// taskset:
//
//	go run ./cmd/bench                      # everything, 3 rounds
//	go run ./cmd/bench -only ws -rounds 5   # cases whose name starts with ws
//	go run ./cmd/bench -out ../docs         # performance.md and performance.svg
//
// Servers of Node.js and Bun take part where npm is installed.
//
// The server has core 0 and the load core 1. Rounds are interleaved, A B C A B
// C, so that what else the machine does falls on all. The main figure is the
// server's CPU time per message; figures are medians.
package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	only := flag.String("only", "", "run cases whose name starts with one of these, comma-separated")
	libs := flag.String("libs", "", "run these servers only, comma-separated")
	rounds := flag.Int("rounds", 3, "rounds per case, 1 to 20")
	out := flag.String("out", "", "folder to write performance.md and performance.svg to")
	duration := flag.Duration("duration", 3*time.Second, "of one measurement, at most 10s")
	flag.Parse()
	if *rounds < 1 || *rounds > 20 || *duration > 10*time.Second {
		log.Fatal("bench: need 1 to 20 -rounds and a -duration of at most 10s")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal("bench: ", err)
	}
	b := bench{dir: dir, out: *out, rounds: *rounds, duration: *duration}
	err = b.run(choose(cases, split(*only), split(*libs)))
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

// choose keeps the cases and the servers that are asked for; nil: all.
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

// bench is one run of the command.
type bench struct {
	dir      string // of the two binaries
	out      string // of the report; "": printed
	rounds   int
	duration time.Duration
}

func (b bench) serve() string { return filepath.Join(b.dir, "serve") }
func (b bench) load() string  { return filepath.Join(b.dir, "load") }

func (b bench) run(chosen []benchCase) error {
	if len(chosen) == 0 {
		return fmt.Errorf("no case left to run")
	}
	if err := b.build(); err != nil {
		return err
	}
	report := header(b)
	fmt.Print(report)
	var results []map[string][]sample
	_, noNode := findNPM()
	for i, c := range chosen {
		if noNode != nil {
			c.libs = slices.DeleteFunc(slices.Clone(c.libs), isScript)
			chosen[i] = c
		}
		samples, err := b.measure(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		text := table(c, samples)
		fmt.Print(text)
		report += text
		results = append(results, samples)
	}
	if b.out == "" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(b.out, "performance.svg"), []byte(chart(chosen, results)), 0o644); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(b.out, "performance.md"), []byte(report), 0o644)
}

// measure runs all servers of a case, round by round. HTTP servers must all
// give the same answer.
func (b bench) measure(c benchCase) (map[string][]sample, error) {
	samples := make(map[string][]sample)
	body := ""
	for range b.rounds {
		for _, lib := range c.libs {
			s, err := b.once(c, lib)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", lib, err)
			}
			s.Body = strings.TrimSpace(s.Body)
			if body == "" {
				body = s.Body
			}
			if s.Body != body {
				return nil, fmt.Errorf("%s answers %q, others %q", lib, s.Body, body)
			}
			samples[lib] = append(samples[lib], s)
		}
	}
	return samples, nil
}
