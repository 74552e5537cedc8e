package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	serverCore = "0"
	loadCore   = "1"
	longest    = 2 * time.Minute // of one measurement with its connections
)

// sample is what cmd/load prints.
type sample struct {
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_us"`
	Memory  float64 `json:"rss_bytes"`
	Body    string  `json:"body"`

	Goroutines float64 `json:"goroutines"`
	P50        float64 `json:"p50_us"`
	P99        float64 `json:"p99_us"`
	P999       float64 `json:"p999_us"`

	Max     float64 `json:"max_us"`
	Upgrade float64 `json:"upgrade_us"`
	Request float64 `json:"request_us"`
	Peak    float64 `json:"peak_bytes"`
	Files   float64 `json:"files"`
	Cut     float64 `json:"cut"`
}

// scripts are the servers that are not in Go.
var scripts = map[string][]string{
	"ws":        {"node", "js/ws.js"},
	"socket.io": {"node", "js/socketio.js"},
	"bun":       {bun, "js/bun.js"},
	"bun-z":     {bun, "js/bun.js", "deflate"},
	"express":   {"node", "js/express.js"},
	"fastify":   {"node", "js/fastify.js"},
}

const bun = "js/node_modules/.bin/bun"

func findNPM() (string, error) { return exec.LookPath("npm") }

func isScript(lib string) bool { return scripts[lib] != nil }

func (b bench) build() error {
	if b.before != "" {
		build := exec.Command("go", "build", "-o", b.was(), "./cmd/serve")
		build.Dir = filepath.Join(b.before, "benchmarks")
		if text, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", build.Dir, err, text)
		}
	} else if npm, err := findNPM(); err == nil {
		install := exec.Command(npm, "install", "--silent", "--no-audit", "--no-fund")
		install.Dir = "js"
		if text, err := install.CombinedOutput(); err != nil {
			return fmt.Errorf("npm install: %w\n%s", err, text)
		}
	}
	for out, pkg := range map[string]string{b.serve(): "./cmd/serve", b.load(): "./cmd/load"} {
		if text, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, text)
		}
	}
	return nil
}

// pinned returns a command that runs on one core. Go takes GOMAXPROCS from the affinity.
func pinned(ctx context.Context, core, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", core, name}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// once starts a fresh server, loads it and stops it.
func (b bench) once(c benchCase, lib string, more ...string) (s sample, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	server, addr, err := b.start(ctx, c, lib)
	if err != nil {
		return s, fmt.Errorf("server does not start: %w", err)
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	// taskset executes the server in its own process.
	args := slices.Concat([]string{"-addr", addr, "-pid", strconv.Itoa(server.Process.Pid),
		"-duration", b.duration.String()}, special(c, lib), c.load, more)
	text, err := pinned(ctx, cmp.Or(c.cores, loadCore), b.load(), args...).Output()
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

// start returns when the server listens.
func (b bench) start(ctx context.Context, c benchCase, lib string) (*exec.Cmd, string, error) {
	command := append([]string{b.serve(), "-lib", lib}, c.serve...)
	switch {
	case isScript(lib):
		command = scripts[lib]
	case lib == earlier:
		command = append([]string{b.was(), "-lib", c.libs[1]}, c.serve...)
	}
	server := pinned(ctx, cmp.Or(c.cores, serverCore), command[0], command[1:]...)
	server.Env = append(os.Environ(), "NODE_ENV=production")
	out, err := server.StdoutPipe()
	if err != nil {
		return nil, "", err
	}
	if err := server.Start(); err != nil {
		return nil, "", err
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		server.Process.Kill()
		server.Wait()
	}
	return server, strings.TrimSpace(addr), err
}

// special returns the arguments of cmd/load that a server needs in every case.
func special(c benchCase, lib string) (args []string) {
	if isScript(lib) {
		args = append(args, "-warm", "2s") // until the JIT compiler is done
	}
	if lib == "socket.io" {
		args = append(args, "-socketio")
	}
	if c.kind == memory && !isScript(lib) {
		args = append(args, "-goroutines")
	}
	return args
}
