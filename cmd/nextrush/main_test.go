package main

import (
	"bytes"
	"context"
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

func invoke(t *testing.T, in string, args ...string) (out, problems string, err error) {
	t.Helper()
	var o, e bytes.Buffer
	err = run(t.Context(), args, terminal{strings.NewReader(in), &o, &e})
	return o.String(), e.String(), err
}

// Each kind passes its tests, which fail if a page does not work under its policy, and
// lists its routes.
func TestNewProjectsPassTheirTestsAndListTheirRoutes(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GOWORK", "off")
	t.Setenv("GOFLAGS", "-mod=mod")
	for _, x := range []struct {
		kind   string
		routes []string
		broken [][3]string // file, text, what takes its place
	}{
		{"chat", []string{"WS      /chat"}, [][3]string{
			{"index.html", "</body>", "<script>go()</script></body>"},
			{"index.html", "<h1>", `<h1 style="color: red">`},
			{"index.html", `<form id="form">`, `<form id="form" onsubmit="go()">`},
			{"index.html", "app.js", "main.js"},
			{"index.html", "style.css", "https://styles.example/style.css"},
			{"main.go", `static.FS("/"`, `static.FS("/files"`},
			{"main.go", "client.New(), ", ""},
			{"main.go", "app.Use(middleware.Production())", "_ = middleware.Production"},
			{"app.js", `$("log")`, `$("list")`},
			{"app.js", `connect("/chat")`, `connect("/talk")`},
		}},
		{"pages", []string{"GET     /", "POST    /entries"}, [][3]string{
			{"views/home.html", "<form", "<style>form { color: red }</style><form"},
			{"views/layouts/main.html", "/public/", "/files/"},
			{"main.go", "app.Use(middleware.CSRF())", "_ = middleware.CSRF"},
		}},
		{"api", []string{"DELETE  /notes/:id"}, [][3]string{{"main.go", "required,", ""}}},
	} {
		t.Run(x.kind, func(t *testing.T) {
			out, problems, err := invoke(t, "", "new", "-replace", checkout, "-kind", x.kind, "example.com/"+x.kind)
			if err != nil || !strings.Contains(out, "cd "+x.kind) {
				t.Fatalf("%v\n%s%s", err, out, problems)
			}
			for _, args := range [][]string{{"vet", "./..."}, {"test", "./..."}} {
				cmd := exec.Command("go", args...)
				cmd.Dir = x.kind
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
			}
			for _, b := range x.broken {
				if testBroken(t, x.kind, b[0], b[1], b[2]) == nil {
					t.Errorf("the test passes with %q in %s", b[2], b[0])
				}
			}
			out, problems, err = invoke(t, "", "routes", x.kind)
			for _, route := range x.routes {
				if !strings.Contains(out, route) {
					t.Errorf("no %s: %v\n%s%s", route, err, out, problems)
				}
			}
			for _, file := range []string{".gitignore", ".dockerignore", "Dockerfile", "README.md"} {
				if text, err := os.ReadFile(filepath.Join(x.kind, file)); err != nil || len(text) == 0 || bytes.Contains(text, []byte("<<")) {
					t.Errorf("%s: %v\n%s", file, err, text)
				}
			}
			if _, _, err := invoke(t, "", "new", "example.com/"+x.kind); err == nil {
				t.Error("it wrote over a folder")
			}
		})
	}
}

// A program that is made with a clone may use each of its plugins later.
func TestAProjectOfACloneHasAllItsPlugins(t *testing.T) {
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var plugins []string
	for _, pattern := range []string{"plugins/*/go.mod", "plugins/*/*/go.mod", "plugins/*/*/*/go.mod"} {
		found, err := filepath.Glob(filepath.Join(checkout, pattern))
		if plugins = append(plugins, found...); err != nil {
			t.Fatal(err)
		}
	}
	if len(plugins) < 10 {
		t.Fatal(plugins)
	}
	t.Chdir(t.TempDir())
	t.Setenv("GOWORK", "off")
	if _, problems, err := invoke(t, "", "new", "-replace", checkout, "example.com/shop"); err != nil {
		t.Fatalf("%v\n%s", err, problems)
	}
	text := "package main\n\nimport (\n"
	for _, p := range plugins {
		text += "\t_ \"" + framework + filepath.ToSlash(filepath.Dir(strings.TrimPrefix(p, checkout))) + "\"\n"
	}
	save(t, "shop/plugins.go", text+")\n")
	for _, args := range [][]string{{"mod", "tidy"}, {"build", "."}} {
		cmd := exec.Command("go", args...)
		cmd.Dir = "shop"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("go %s: %v\n%s", args, err, out)
		}
	}
	mod, err := os.ReadFile("shop/go.mod")
	if n := strings.Count(string(mod), " => "); n != len(plugins)+1 {
		t.Errorf("go.mod has %d modules of the clone, %v:\n%s", n, err, mod)
	}
}

func TestAKindThatIsNoneIsRefused(t *testing.T) {
	t.Chdir(t.TempDir())
	if _, _, err := invoke(t, "", "new", "-kind", "blog", "example.com/shop"); err == nil || !strings.Contains(err.Error(), "chat, pages or api") {
		t.Error(err)
	}
}

// testBroken changes a file, runs the project's test, and undoes the change.
func testBroken(t *testing.T, dir, file, from, to string) error {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(file))
	sound, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(sound, []byte(from)) {
		t.Fatalf("%s: no %q, %v", path, from, err)
	}
	defer os.WriteFile(path, sound, 0o644)
	if err := os.WriteFile(path, bytes.ReplaceAll(sound, []byte(from), []byte(to)), 0o644); err != nil {
		t.Fatal(err)
	}
	test := exec.Command("go", "test", "./...")
	test.Dir = dir
	return test.Run()
}

func TestAProjectThatCannotBeMadeLeavesNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, replace := range []string{"nowhere", "."} {
		if _, problems, err := invoke(t, "", "new", "-replace", replace, "example.com/shop"); err == nil {
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
	out, problems, err := invoke(t, "", "new", "-replace", checkout, "example.com/shop")
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
		if _, _, err := invoke(t, "", "new", "--", name); err == nil {
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
	out, problems, err := invoke(t, "hello\n/binary 00ff\n/emit nobody 1\n/binary x\n/emit a {\n", "ws", url)
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
	_, _, err := invoke(t, "", "ws", "-H", "Origin: http://b.example", "ws"+server(t)+"/ws")
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
		out, problems, err := invoke(t, "", "bench", "-conns", "3", "-duration", "2s", url)
		if err != nil || !strings.Contains(out, "a second") || !strings.Contains(out, "99.0 % within") {
			t.Errorf("%s: %v\n%s%s", url, err, out, problems)
		}
	}
	out, _, err := invoke(t, "", "bench", "-conns", "1", "-duration", "100ms", "http"+address+"/none")
	if err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(out, "1 connections failed") {
		t.Errorf("%v\n%s", err, out)
	}
}
