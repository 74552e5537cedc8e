// Command bench measures this framework against its peers and prints the
// figures as Markdown. It must run in the benchmarks folder, on Linux with
// taskset:
//
//	go run ./cmd/bench                      # everything, 3 rounds
//	go run ./cmd/bench -only ws -rounds 5   # cases whose name starts with ws
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
	duration := flag.Duration("duration", 3*time.Second, "of one measurement, at most 10s")
	flag.Parse()
	if *rounds < 1 || *rounds > 20 || *duration > 10*time.Second {
		log.Fatal("bench: need 1 to 20 -rounds and a -duration of at most 10s")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		log.Fatal("bench: ", err)
	}
	b := bench{dir: dir, rounds: *rounds, duration: *duration}
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
	fmt.Print(header(b))
	for _, c := range chosen {
		samples, err := b.measure(c)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		fmt.Print(table(c, samples))
	}
	return nil
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
