package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/nextrushtest"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
)

// TestPackage installs what npm would publish beside React and a compiler, and uses it:
// the types with the declarations of a server, and every export. Then it runs the tests, and
// talks to a server, in the other programs for which the package is made.
func TestPackage(t *testing.T) {
	dir := t.TempDir()
	packed := strings.TrimSpace(shell(t, "..", "npm", "pack", "--silent", "--pack-destination", dir))
	shell(t, dir, "npm", "install", "--no-audit", "--no-fund", "--prefer-offline", filepath.Join(dir, packed),
		"typescript@5.9.3", "react@19.3.1", "@types/react@19", "bun@1.4.5", "deno@2.9.6",
		"node@22.23.3")
	for _, name := range []string{"types.ts", "types.json", "exports.mjs"} {
		text, err := os.ReadFile(filepath.Join("../test", name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name), string(text))
	}
	write(t, filepath.Join(dir, "events.d.ts"), declarations(t))
	write(t, filepath.Join(dir, "sources.json"), sourcesConfig(t))
	tsc := filepath.Join(dir, "node_modules/.bin/tsc")
	shell(t, dir, tsc, "-p", "types.json")
	shell(t, dir, tsc, "-p", "sources.json")
	shell(t, dir, "node", "exports.mjs")
	for name, r := range runtimes(filepath.Join(dir, "node_modules")) {
		t.Run(name, func(t *testing.T) {
			shell(t, dir, r.run[0], append(r.run[1:], "exports.mjs")...)
			suites(t, r, published, public(t))
			smoke(t, r, websocket.Protocol)
		})
	}
}

// runtimes are those that npm has installed.
func runtimes(modules string) map[string]runtime {
	node22 := filepath.Join(modules, "node/bin/node")
	bun, deno := filepath.Join(modules, ".bin/bun"), filepath.Join(modules, ".bin/deno")
	return map[string]runtime{
		"Node.js 22": {[]string{node22}, []string{node22, "--test", "--test-reporter=spec"}},
		"Bun":        {[]string{bun}, []string{bun, "test", "--timeout", "300000"}},
		"Deno":       {[]string{deno, "run", "--allow-all"}, []string{deno, "test", "--allow-all", "--no-check"}},
	}
}

// declarations are those of a server with a chat.
func declarations(t *testing.T) string {
	type chatMessage struct {
		Text string `json:"text" validate:"required"`
	}
	type historyIn struct {
		Count int `json:"count"`
	}
	type history struct {
		Messages []chatMessage `json:"messages"`
	}
	chat := asyncapi.Event[chatMessage]{Name: "chat"}
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	for _, path := range []string{"/chat/:room", "/news"} {
		app.WS(path, func(*websocket.Socket, *nextrush.Context) error { return nil })
	}
	app.Register(asyncapi.New(asyncapi.Options{Title: "Chat"}, asyncapi.Channel{
		Path:     "/chat/:room",
		Receives: []asyncapi.Message{chat, asyncapi.Call[historyIn, history]{Name: "history"}},
		Sends:    []asyncapi.Message{chat, asyncapi.Event[string]{Name: "welcome"}, asyncapi.Call[int, string]{Name: "name"}},
	}, asyncapi.Channel{Path: "/news"}))
	return nextrushtest.New(t, app).Get("/events.d.ts").WantStatus(200).Text()
}

// sourcesConfig compiles the sources where React is.
func sourcesConfig(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return `{"extends": "` + root + `/tsconfig.json", "compilerOptions": {"paths": {"react": ["./node_modules/@types/react"]}},
		"include": ["` + root + `/src", "` + root + `/types"]}`
}

func shell(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.Output()
	if err != nil {
		var stderr []byte
		if exit, ok := err.(*exec.ExitError); ok {
			stderr = exit.Stderr
		}
		t.Fatalf("%s %v: %v\n%s%s", name, args, err, out, stderr)
	}
	return string(out)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
