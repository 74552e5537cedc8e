// Command cluster measures what several nodes cost, beside other servers that span several
// processes. Servers run on core 0, together with the engine between them, and the load on
// core 1; redis-server is started if it is installed. It must run in the benchmarks folder:
//
//	go run ./cmd/cluster                            # all parts
//	go run ./cmd/cluster -only fanout -rounds 5     # some of them
//	go run ./cmd/cluster -servers redis,nats        # without the other servers
//	go run ./cmd/cluster -centrifugo ~/go/bin/centrifugo
package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run of the command.
type bench struct {
	dir        string // of the binaries
	servers    []string
	rounds     int
	duration   time.Duration
	centrifugo string // the program; "": it does not take part
}

// parts are what is measured, in order.
var parts = []struct {
	name string
	run  func(*bench) error
}{
	{"fanout", (*bench).fanout},
	{"latency", (*bench).latency},
	{"publish", (*bench).publish},
	{"ask", (*bench).ask},
	{"presence", (*bench).presence},
	{"capacity", (*bench).capacity},
}

func main() {
	var b bench
	only := flag.String("only", "", "parts to run, comma-separated: fanout, latency, publish, ask, presence, capacity")
	servers := flag.String("servers", "one,redis,nats,socket.io,centrifugo", "servers to run, comma-separated")
	flag.IntVar(&b.rounds, "rounds", 3, "rounds")
	flag.DurationVar(&b.duration, "duration", 3*time.Second, "of one measurement")
	flag.StringVar(&b.centrifugo, "centrifugo", "", "program; empty: centrifugo in PATH, if there is one")
	node := flag.Bool("node", false, "serve as a node; for the command itself")
	engine := flag.String("engine", "", "with -node: what joins it to others")
	flag.Parse()
	if *node {
		log.Fatal(serve(*engine))
	}
	b.servers = strings.Split(*servers, ",")
	if err := b.run(*only); err != nil {
		log.Fatal("cluster: ", err)
	}
}

func (b *bench) run(only string) (err error) {
	if b.dir, err = os.MkdirTemp("", "cluster"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if err := b.build(); err != nil {
		return err
	}
	var failed error
	for _, p := range parts {
		if only != "" && !slices.Contains(strings.Split(only, ","), p.name) {
			continue
		}
		if err := p.run(b); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", p.name, err))
			log.Printf("%s: %v", p.name, err)
		}
	}
	return failed
}

// build makes what is measured, and leaves out the servers that are not there.
func (b *bench) build() error {
	if text, err := exec.Command("go", "build", "-o", b.load(), "./cmd/load").CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, text)
	}
	missing := make(map[string]bool)
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing["redis"], missing["socket.io"], missing["centrifugo"] = true, true, true
	}
	program, err := exec.LookPath(cmp.Or(b.centrifugo, "centrifugo"))
	if b.centrifugo = program; err != nil {
		missing["centrifugo"] = true
	}
	if b.has("socket.io") {
		install := exec.Command("npm", "install", "--silent", "--no-audit", "--no-fund")
		install.Dir = "js"
		if text, err := install.CombinedOutput(); err != nil {
			log.Printf("without socket.io: npm install: %v\n%s", err, text)
			missing["socket.io"] = true
		}
	}
	b.servers = slices.DeleteFunc(b.servers, func(s string) bool { return missing[s] })
	return nil
}

func (b *bench) load() string { return filepath.Join(b.dir, "load") }

func (b *bench) has(server string) bool { return slices.Contains(b.servers, server) }

// among returns those of some servers that take part.
func (b *bench) among(servers ...string) []string {
	return slices.DeleteFunc(servers, func(s string) bool { return !b.has(s) })
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// quantile is the value that the share q of all do not exceed.
func quantile(list []float64, q float64) float64 {
	slices.Sort(list)
	return list[min(int(q*float64(len(list))), len(list)-1)]
}
