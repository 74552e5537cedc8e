package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTypesOfTheChat compiles a page of the chat in examples against what its server
// serves, and has the command nextrush fetch its events.
func TestTypesOfTheChat(t *testing.T) {
	dir := t.TempDir()
	const module = "github.com/nextrush/nextrush/"
	shell(t, ".", "go", "build", "-o", dir, module+"examples/chat", module+"cmd/nextrush")
	url := startChat(t, filepath.Join(dir, "chat"))

	command, events := filepath.Join(dir, "nextrush"), filepath.Join(dir, "events.d.ts")
	shell(t, dir, command, "types", "-o", events, url)
	shell(t, dir, command, "types", "-check", events, url)
	write(t, filepath.Join(dir, "nextrush.d.ts"), get(t, url+"/nextrush.d.ts"))

	text, err := os.ReadFile("../test/chat.ts")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "chat.ts"), string(text))
	write(t, filepath.Join(dir, "tsconfig.json"), configOf(t, "chat.ts"))
	shell(t, dir, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", "typescript@5.9.3")
	shell(t, dir, filepath.Join(dir, "node_modules/.bin/tsc"), "-p", ".")
}

func get(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(url, res.Status, err)
	}
	return string(text)
}

func configOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile("../test/types.json")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	config["files"] = []string{file}
	text, err = json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// startChat runs a program until the test ends, and returns where it listens.
func startChat(t *testing.T, bin string) (url string) {
	t.Helper()
	cmd := exec.Command(bin, "-addr", "127.0.0.1:0")
	stderr, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, url, ok := strings.Cut(lines.Text(), "listening url="); ok {
			go func() {
				for lines.Scan() {
				}
			}()
			return url
		}
	}
	t.Fatal("the program ended before it listened")
	return ""
}
