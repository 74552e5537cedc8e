package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	serverCore = "0"
	loadCore   = "1"
	longest    = time.Minute // of one measurement with its connections
)

// sample is what cmd/load prints.
type sample struct {
	Count   int64   `json:"count"`
	Seconds float64 `json:"seconds"`
	CPU     float64 `json:"cpu_us"`
	Memory  float64 `json:"rss_bytes"`
	Body    string  `json:"body"`
}

// scripts are servers that are no Go.
var scripts = map[string][]string{
	"ws":      {"node", "js/ws.js"},
	"bun":     {"js/node_modules/.bin/bun", "js/bun.js"},
	"express": {"node", "js/express.js"},
	"fastify": {"node", "js/fastify.js"},
}

func findNPM() (string, error) { return exec.LookPath("npm") }

func isScript(lib string) bool { return scripts[lib] != nil }

func (b bench) build() error {
	if npm, err := findNPM(); err == nil {
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

// pinned is a command on one core. Go takes GOMAXPROCS from the affinity.
func pinned(ctx context.Context, core, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "taskset", append([]string{"-c", core, name}, args...)...)
	cmd.Stderr = os.Stderr
	return cmd
}

// once starts a fresh server, loads it and ends it.
func (b bench) once(c benchCase, lib string) (sample, error) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	server := pinned(ctx, serverCore, b.serve(), append([]string{"-lib", lib}, c.serve...)...)
	if script, ok := scripts[lib]; ok {
		server = pinned(ctx, serverCore, script[0], script[1:]...)
	}
	server.Env = append(os.Environ(), "NODE_ENV=production")
	out, err := server.StdoutPipe()
	if err != nil {
		return sample{}, err
	}
	if err := server.Start(); err != nil {
		return sample{}, err
	}
	defer func() {
		server.Process.Kill()
		server.Wait()
	}()
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return sample{}, fmt.Errorf("server does not start: %w", err)
	}
	// taskset replaces itself by the server: the process is the same.
	warm := 500 * time.Millisecond
	if isScript(lib) {
		warm = 2 * time.Second // until the JIT compiler is done
	}
	args := append([]string{"-warm", warm.String(), "-addr", strings.TrimSpace(addr), "-pid", strconv.Itoa(server.Process.Pid),
		"-duration", b.duration.String()}, c.load...)
	text, err := pinned(ctx, loadCore, b.load(), args...).Output()
	if err != nil {
		return sample{}, err
	}
	var s sample
	return s, json.NewDecoder(bytes.NewReader(text)).Decode(&s)
}
