package main

import (
	"bytes"
	"context"
	"flag"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/nextrush/nextrush"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/websocket"
)

func TestMain(m *testing.M) { leak.Main(m) }

func command(t *testing.T, in string, args ...string) (out, problems string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	err = run(t.Context(), args, terminal{strings.NewReader(in), &o, &e})
	return o.String(), e.String(), err
}

func TestANewProjectPassesItsTestAndListsItsRoutes(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	if out, problems, err := command(t, "", "new", "-replace", checkout, "example.com/shop"); err != nil || !strings.Contains(out, "cd shop") {
		t.Fatalf("%v\n%s%s", err, out, problems)
	}
	test := exec.Command("go", "test", "./...")
	test.Dir = "shop"
	if out, err := test.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, broken := range [][3]string{
		{"index.html", "</body>", "<script>go()</script></body>"},
		{"index.html", "<h1>", `<h1 style="color: red">`},
		{"index.html", "app.js", "main.js"},
		{"main.go", "static.FS(", "static.FS(\"/files\"+"},
		{"app.js", `$("log")`, `$("list")`},
	} {
		if testBroken(t, filepath.Join("shop", broken[0]), broken[1], broken[2]) == nil {
			t.Errorf("the test passes with %q in %s", broken[2], broken[0])
		}
	}
	out, problems, err := command(t, "", "routes", "shop")
	if err != nil || !strings.Contains(out, "GET") || !strings.Contains(out, "/hello/:name") || !strings.Contains(out, "main.go:") {
		t.Errorf("%v\n%s%s", err, out, problems)
	}
	if _, _, err := command(t, "", "new", "example.com/shop"); err == nil {
		t.Error("it wrote over a folder")
	}
}

// testBroken changes a file, runs the project's test, and undoes the change.
func testBroken(t *testing.T, path, from, to string) error {
	t.Helper()
	sound, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(sound, []byte(from)) {
		t.Fatalf("%s: no %q, %v", path, from, err)
	}
	defer os.WriteFile(path, sound, 0o644)
	if err := os.WriteFile(path, bytes.ReplaceAll(sound, []byte(from), []byte(to)), 0o644); err != nil {
		t.Fatal(err)
	}
	test := exec.Command("go", "test", "./...")
	test.Dir = filepath.Dir(path)
	return test.Run()
}

func TestAProjectThatCannotBeMadeLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, replace := range []string{"nowhere", "."} {
		if _, problems, err := command(t, "", "new", "-replace", replace, "example.com/shop"); err == nil {
			t.Fatalf("made with %s: %s", replace, problems)
		}
		if _, err := os.Stat("shop"); !os.IsNotExist(err) {
			t.Errorf("-replace %s leaves a folder, so that a second try fails: %v", replace, err)
		}
	}
}

func TestANewProjectInAWorkspaceSaysHowToJoinIt(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	if err := os.WriteFile("go.work", []byte("go 1.26\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOWORK", "")
	out, problems, err := command(t, "", "new", "-replace", checkout, "example.com/shop")
	if err != nil || !strings.Contains(out, "go work use .") {
		t.Fatalf("%v\n%s%s", err, out, problems)
	}
	for _, args := range [][]string{{"work", "use", "."}, {"test", "./..."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = "shop"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", args, err, out)
		}
	}
}

func TestNewRefusesNames(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"", "../x", "a b", "-x", "/abs", "\"x\""} {
		if _, _, err := command(t, "", "new", "--", name); err == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

// server echoes messages, and replies to the event "add".
func server(t *testing.T) string {
	app := nextrush.New()
	app.EnableWebSocket(websocket.Options{})
	app.Get("/", func(c *nextrush.Context) error { return c.Text("hi") })
	app.WS("/ws", func(s *websocket.Socket, _ *nextrush.Context) error {
		websocket.Handle(s, "add", func(_ context.Context, _ *websocket.Socket, n int) (int, error) { return n + 1, nil })
		s.OnMessage(func(m websocket.Message) { s.SendMessage(m) })
		return nil
	})
	ts := httptest.NewServer(app)
	t.Cleanup(ts.Close)
	t.Cleanup(func() { app.Shutdown(context.Background()) })
	return strings.TrimPrefix(ts.URL, "http")
}

func TestTalkingToAServer(t *testing.T) {
	url := "ws" + server(t) + "/ws"
	out, problems, err := command(t, "hello\n/binary 00ff\n/emit nobody 1\n/binary x\n/emit a {\n", "ws", url)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"< hello\n", "< 00ff\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	for _, want := range []string{"connected in", "/binary:", "not JSON"} {
		if !strings.Contains(problems, want) {
			t.Errorf("no %q in %q", want, problems)
		}
	}
}

func TestARefusalIsShownWithItsReason(t *testing.T) {
	_, _, err := command(t, "", "ws", "-H", "Origin: http://b.example", "ws"+server(t)+"/ws")
	if err == nil || !strings.Contains(err.Error(), "403") || !strings.Contains(err.Error(), "AllowOrigins") {
		t.Errorf("error is %v", err)
	}
}

func TestTheEndOfInputIsTheEnd(t *testing.T) {
	url := "ws" + server(t) + "/ws"
	var out, problems bytes.Buffer
	in := iotest.OneByteReader(strings.NewReader("last words\n"))
	if err := run(t.Context(), []string{"ws", url}, terminal{in, &out, &problems}); err != nil || out.String() != "< last words\n" {
		t.Errorf("got %q, %v", &out, err)
	}
}

func TestBench(t *testing.T) {
	address := server(t)
	for _, url := range []string{"http" + address, "ws" + address + "/ws"} {
		out, problems, err := command(t, "", "bench", "-conns", "3", "-duration", "2s", url)
		if err != nil || !strings.Contains(out, "a second") || !strings.Contains(out, "99.0 % within") {
			t.Errorf("%s: %v\n%s%s", url, err, out, problems)
		}
	}
	out, _, err := command(t, "", "bench", "-conns", "1", "-duration", "100ms", "http"+address+"/none")
	if err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(out, "1 connections failed") {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestUsage(t *testing.T) {
	if _, problems, err := command(t, ""); err == nil || !strings.Contains(problems, "usage:") {
		t.Errorf("%v %q", err, problems)
	}
	for _, help := range []string{"help", "-h", "--help"} {
		if _, problems, err := command(t, "", help); err != flag.ErrHelp || !strings.Contains(problems, "usage:") {
			t.Errorf("%s: %v %q", help, err, problems)
		}
	}
	if _, problems, err := command(t, "", "serve"); err == nil || !strings.Contains(err.Error(), `"serve"`) || !strings.Contains(problems, "usage:") {
		t.Errorf("%v %q", err, problems)
	}
	if _, _, err := command(t, "", "ws"); err == nil {
		t.Error("ws without a URL is taken")
	}
}
