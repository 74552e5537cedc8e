package main

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/plugins/asyncapi"
	"github.com/nextrush/nextrush/websocket"
)

type remark struct {
	Text string `json:"text" validate:"required"`
}

// declaring serves the declarations of two channels, under base, to those who have the key.
func declaring(t *testing.T, base string) string {
	t.Helper()
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.WS("/chat/:room", func(*websocket.Socket, *nextrush.Context) error { return nil })
	locked := func(c *nextrush.Context) error {
		if base == "/locked" && c.Header("Key") != "open" {
			return nextrush.NewError(401)
		}
		return c.Next()
	}
	err := app.Register(asyncapi.New(asyncapi.Options{TypeScript: base + "/events.d.ts", Guard: []nextrush.Handler{locked}}, asyncapi.Channel{
		Path: "/chat/:room", Receives: []asyncapi.Message{asyncapi.Event[remark]{Name: "say"}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	app.Get("/page/events.d.ts", func(c *nextrush.Context) error { return c.HTML("<h1>Not found</h1>") })
	ts := httptest.NewServer(app)
	t.Cleanup(ts.Close)
	t.Cleanup(func() { app.Shutdown(context.Background()) })
	return strings.TrimPrefix(ts.URL, "http://")
}

func TestTypesAreFoundByTheServersAddress(t *testing.T) {
	address, below, locked := declaring(t, ""), declaring(t, "/api"), declaring(t, "/locked")
	for _, args := range [][]string{
		{"http://" + address}, {"http://" + address + "/"}, {"ws://" + address}, {address}, {"http://" + address + "/events.d.ts?v=1"},
		{"http://" + below + "/api"}, {"http://" + below + "/api/events.d.ts"},
		{"-H", "Key: open", "http://" + locked + "/locked"}, {locked + "/locked", "-H", "Key: open"},
	} {
		out, problems, err := invoke(t, "", append([]string{"types"}, args...)...)
		if err != nil || problems != "" || !strings.Contains(out, `"/chat/{room}": {`) {
			t.Errorf("%q: %v %s\n%s", args, err, problems, out)
		}
	}
}

func TestTypesThatAreNotThereAreExplained(t *testing.T) {
	address, locked := declaring(t, ""), declaring(t, "/locked")
	file := filepath.Join(t.TempDir(), "events.d.ts")
	for url, want := range map[string]string{
		"http://" + address + "/none":    "register asyncapi.New",
		"http://" + locked + "/locked":   "-H",
		"http://" + address + "/page":    "something else",
		"http://127.0.0.1:1":             "connect",
		"ftp://" + address:               "http://localhost:3000",
		"http://a b":                     "invalid",
		"http://" + address + " surplus": "invalid",
	} {
		_, _, err := invoke(t, "", "types", "-o", file, url)
		if err == nil || !strings.HasPrefix(err.Error(), "types: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", url, err, want)
		}
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("a file has been written: %v", err)
	}
	for _, args := range [][]string{{"types"}, {"types", address, "more"}, {"types", "-o", file, "-check", file, address}} {
		if _, _, err := invoke(t, "", args...); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestTypesAreWrittenAndChecked(t *testing.T) {
	address := declaring(t, "")
	file := filepath.Join(t.TempDir(), "events.d.ts")
	if _, _, err := invoke(t, "", "types", "-check", file, address); !os.IsNotExist(err) && !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
	if out, _, err := invoke(t, "", "types", address, "-o", file); err != nil || out != "" {
		t.Fatalf("%v %s", err, out)
	}
	sound, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	windows := strings.ReplaceAll(string(sound), "\n", "\r\n")
	for _, same := range []string{string(sound), windows} {
		save(t, file, same)
		if out, _, err := invoke(t, "", "types", "-check", file, address); err != nil || out != "" {
			t.Errorf("%v %s", err, out)
		}
	}
	old := strings.Replace(string(sound), `"text": string`, `"txt"?: number`, 1)
	save(t, file, old)
	out, _, err := invoke(t, "", "types", "-check", file, address)
	if err == nil || !strings.Contains(err.Error(), "nextrush types -o "+file) {
		t.Errorf("another file: %v", err)
	}
	if !strings.Contains(out, "- ") || !strings.Contains(out, `"txt"?: number`) || !strings.Contains(out, "+ ") || strings.Contains(out, "Channels") {
		t.Errorf("the difference is\n%s", out)
	}
	if now, err := os.ReadFile(file); err != nil || string(now) != old {
		t.Errorf("the file has changed: %v", err)
	}
}

func TestDifferencesAreShort(t *testing.T) {
	long := strings.Repeat("x\n", 100)
	for _, test := range []struct{ before, after, want string }{
		{"a\nb\nc\n", "a\nB\nc\n", "line 2:\n- b\n+ B\n"},
		{"a\nc\n", "a\nb\nc\n", "line 2:\n+ b\n"},
		{"a\na\na\n", "a\na\n", "line 3:\n- a\n"},
		{"", "a\n", "line 1:\n+ a\n"},
		{"a", "a\n", "line 1:\n- a\n+ a\n"},
		{"a\n", long, "line 1:\n- a\n" + strings.Repeat("+ x\n", 20) + "+ and 80 lines more\n"},
	} {
		if got := differences(test.before, test.after); got != test.want {
			t.Errorf("%.20q and %.20q: %q, want %q", test.before, test.after, got, test.want)
		}
	}
}

func save(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
