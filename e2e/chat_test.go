// Package e2e drives the pages of examples in headless Chromium, an app with
// everything on at once, and the programs that the guides configure.
package e2e

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// program is an example that runs as a process of its own. The system chooses its port at
// the first start; later starts use the same port.
type program struct {
	t    *testing.T
	bin  string
	args []string
	addr string
	cmd  *exec.Cmd
}

func build(t *testing.T, example string) string {
	t.Helper()
	return buildPackage(t, "github.com/nextrush/nextrush/examples/"+example)
}

func buildPackage(t *testing.T, path string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(path))
	cmd := exec.Command("go", "build", "-o", bin, path)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// start runs the program and waits until it prints where it listens.
func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin, append(p.args, "-addr", cmp.Or(p.addr, "127.0.0.1:0"))...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if _, addr, ok := strings.Cut(lines.Text(), "listening url=http://"); ok {
			p.addr = addr
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	p.t.Fatal("the program ended before it listened")
}

// stop makes the program end and waits for that, unless it has already ended.
func (p *program) stop() {
	p.t.Helper()
	if p.cmd.ProcessState != nil {
		return
	}
	p.cmd.Process.Signal(os.Interrupt)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program did not end well: %v", err)
	}
}

// serve runs an example until the test ends.
func serve(t *testing.T, example string, args ...string) *program {
	t.Helper()
	p := &program{t: t, bin: build(t, example), args: args}
	p.start()
	t.Cleanup(p.stop)
	return p
}

// browser starts Chromium and returns a context for its first tab.
func browser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1000, 700),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	// Debian's name for it. Without that, chromedp looks for others.
	if path, err := exec.LookPath("chromium"); err == nil {
		opts = append(opts, chromedp.ExecPath(path))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func run(t *testing.T, ctx context.Context, what string, actions ...chromedp.Action) {
	t.Helper()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// sees waits until the element's text contains a string.
func sees(selector, text string) chromedp.Action {
	js := fmt.Sprintf(`document.querySelector(%q)?.textContent.includes(%q)`, selector, text)
	return chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(40*time.Second))
}

// keepScreenshot writes a picture to the folder SCREENSHOTS, if that is set.
func keepScreenshot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	var picture []byte
	run(t, ctx, "screenshot", chromedp.CaptureScreenshot(&picture))
	if len(picture) < 5000 {
		t.Errorf("screenshot %s has only %d bytes", name, len(picture))
	}
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// enter opens the chat in a tab and joins the room "tea" with a name.
func enter(t *testing.T, tab context.Context, addr, name string) {
	t.Helper()
	run(t, tab, name+" enters", chromedp.Navigate("http://"+addr+"/?room=tea"), chromedp.Evaluate(`document.querySelector("[name=name]").value = ""`, nil),
		chromedp.SendKeys("[name=name]", name+"\r"), sees("#status", "connected"))
}

func TestTwoBrowsersTalkAndComeBackAfterARestart(t *testing.T) {
	server := serve(t, "chat")
	addr := server.addr
	ann := browser(t)
	enter(t, ann, addr, "Ann")
	bob, cancel := chromedp.NewContext(ann)
	defer cancel()
	enter(t, bob, addr, "Bob")
	run(t, bob, "bob sees ann", sees("#count", "2 people"), sees("#people", "Ann"))

	run(t, ann, "ann speaks", sees("#log", "Bob joined"), chromedp.SendKeys("#say input", "Hello, Bob!\r"), sees("#log", "Hello, Bob!"))
	run(t, bob, "bob reads and answers", sees("#log", "Hello, Bob!"), chromedp.SendKeys("#say input", "Hi Ann, <b>tea</b>?\r"))
	run(t, ann, "ann reads", sees("#log", "Hi Ann, <b>tea</b>?"))
	keepScreenshot(t, ann, "chat")

	server.stop()
	run(t, ann, "ann sees the loss", sees("#log", "Connection lost"), sees("#count", "0 people"))
	server.start()
	run(t, ann, "ann comes back", sees("#log", "Connected again"), sees("#count", "2 people"))
	run(t, bob, "bob comes back", sees("#status", "connected"), chromedp.SendKeys("#say input", "Still there?\r"))
	run(t, ann, "ann reads again", sees("#log", "Still there?"))
	keepScreenshot(t, bob, "chat-again")
}

func TestPeopleComeAndGo(t *testing.T) {
	addr := serve(t, "chat").addr
	ann := browser(t)
	enter(t, ann, addr, "Ann")
	other, closeTab := chromedp.NewContext(ann)
	defer closeTab()
	enter(t, other, addr, "Ann")
	run(t, ann, "two of one name", sees("#count", "2 people"), sees("#people", "Ann #"), sees("#log", "joined"))
	run(t, other, "the other speaks", chromedp.SendKeys("#say input", "I am the other\r"), sees("#log", "I am the other"))
	run(t, ann, "who spoke", sees("#log .who", "Ann #"))

	run(t, other, "the other leaves by the button", chromedp.Click("#leave"), chromedp.WaitVisible("#door"))
	run(t, ann, "alone", sees("#count", "1 person here"), sees("#log", "left"))
	enter(t, other, addr, "Bob")
	run(t, ann, "bob", sees("#count", "2 people"), sees("#log", "Bob joined"))
	closeTab()
	run(t, ann, "alone again", sees("#count", "1 person here"), sees("#log", "Bob left"))

	run(t, ann, "a reload", chromedp.Reload(), sees("#status", "connected"), sees("#count", "1 person here"),
		sees("#log", "I am the other"), sees("#log", "You joined"))
	run(t, ann, "ann leaves and comes back at once", chromedp.Click("#leave"), chromedp.SendKeys("[name=name]", "\r"),
		sees("#status", "connected"), sees("#count", "1 person here"))
}

func TestDemoPageEchoes(t *testing.T) {
	addr := serve(t, "demo").addr
	ctx := browser(t)
	run(t, ctx, "demo", chromedp.Navigate("http://"+addr), sees("#log", "welcome"),
		chromedp.Click("#form button"), sees("#log", `← {"type":"echo","text":"Hello, socket"`),
		chromedp.Click("#ping"), sees("#log", `"pong"`),
		chromedp.Click("#unknown"), sees("#log", "unknown message type"), sees("#stats", "connections"))
	keepScreenshot(t, ctx, "demo")
	client := exec.Command("go", "run", "github.com/nextrush/nextrush/examples/demo/client", addr)
	if out, err := client.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	resp, err := http.Get("http://" + addr + "/api/websocket/stats")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("statistics: %v %v", resp, err)
	}
}
