package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/websocket"
)

// buildBlock builds a program of the guides as one of the examples, so that it has what
// they have.
func buildBlock(t *testing.T, code string) (bin string) {
	t.Helper()
	dir := t.TempDir()
	source, overlay, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "program")
	write(t, source, code)
	place, err := filepath.Abs("../examples/docs/block/main.go")
	if err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]any{"Replace": map[string]string{place: source}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, overlay, string(list))
	build := exec.Command("go", "build", "-overlay", overlay, "-o", bin, "./examples/docs/block")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// The steps of the guide listen, and answer a socket on the path that they have.
func TestProgramsOfTheWebSocketGuideRun(t *testing.T) {
	paths := []string{"/echo", "/chat/tea", "/echo", "/prices", "/game", "/shop", "/rooms/tea?key=1", "/live", "/t/acme/chat", "/chat/tea", "/game", "/feed"}
	programs := blocks(t, "websocket.md", "go")
	for i, path := range paths {
		t.Run(strings.Trim(path, "/"), func(t *testing.T) {
			code, addr := programs[i], freeport.Address(t)
			port := `":3000"`
			if strings.Contains(code, `":8080"`) {
				port = `":8080"`
			}
			launch(t, addr, exec.Command(buildBlock(t, adapt(t, code, port, `"`+addr+`"`))))
			s, err := websocket.Dial(t.Context(), "ws://"+addr+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.Close(websocket.StatusNormalClosure, "")
		})
	}
}

// The chat with logins, history and presence at the end of the guide, as it stands there.
func TestTheChatOfTheWebSocketGuideWorks(t *testing.T) {
	dir, addr := t.TempDir(), freeport.Address(t)
	programs, pages, scripts := blocks(t, "websocket.md", "go"), blocks(t, "websocket.md", "html"), blocks(t, "websocket.md", "js")
	program, script := programs[len(programs)-1], scripts[len(scripts)-1]
	if lines := strings.Count(program, "\n"); lines > 52 {
		t.Errorf("the program has %d lines, and the page says 52", lines)
	}
	if lines := strings.Count(script, "\n"); lines > 30 {
		t.Errorf("the script has %d lines, and the page says 30", lines)
	}
	if err := os.Mkdir(filepath.Join(dir, "public"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "public", "index.html"), pages[0])
	write(t, filepath.Join(dir, "public", "app.js"), script)
	server := exec.Command(buildBlock(t, adapt(t, program, `":3000"`, `"`+addr+`"`)))
	server.Dir = dir
	launch(t, addr, server)

	enter := func(name, password string) chromedp.Tasks {
		return chromedp.Tasks{
			chromedp.Navigate("http://" + addr), chromedp.WaitVisible("#login"),
			chromedp.SendKeys("[name=name]", name), chromedp.SendKeys("[name=password]", password+"\r"), chromedp.WaitVisible("#say"), sees("#status", name),
		}
	}
	ann, bob := browser(t), browser(t)
	run(t, ann, "Ann", enter("ann", "correct-horse"), chromedp.SendKeys("[name=text]", "Is there milk?\r"), sees("#log", "ann: Is there milk?"))
	run(t, bob, "Bob", enter("bob", "battery-staple"), sees("#log", "ann: Is there milk?"), chromedp.SendKeys("[name=text]", "There is.\r"))
	run(t, ann, "both", sees("#log", "bob: There is."), sees("#status", "ann, bob"))
	keepScreenshot(t, ann, "guide")
}

// The program of Getting started answers what the page tries.
func TestTheFirstProgramRuns(t *testing.T) {
	addr := freeport.Address(t)
	launch(t, addr, exec.Command(buildBlock(t, adapt(t, blocks(t, "getting-started.md", "go")[0], `":3000"`, `"`+addr+`"`))))
	s, err := websocket.Dial(t.Context(), "ws://"+addr+"/echo", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(websocket.StatusNormalClosure, "")
	s.Send("hi")
	for _, want := range []string{"Welcome!", "Echo: hi"} {
		if m, err := s.Receive(t.Context()); err != nil || m.Text() != want {
			t.Errorf("got %q, %v; want %q", m.Text(), err, want)
		}
	}
	page := browser(t)
	run(t, page, "the page", chromedp.Navigate("http://"+addr), sees("body", "Hello, World!"))
}
