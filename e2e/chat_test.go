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
	"slices"
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
	return becomes(fmt.Sprintf(`document.querySelector(%q)?.textContent.includes(%q)`, selector, text))
}

// becomes waits until an expression is true, on whatever page is shown by then: chromedp.Poll
// fails when the page is loaded again.
func becomes(expression string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not so for %v: %s", patience, expression))
		defer cancel()
		var is bool
		for chromedp.Evaluate(expression, &is).Do(ctx) != nil || !is {
			if chromedp.Sleep(50*time.Millisecond).Do(ctx) != nil {
				return context.Cause(ctx)
			}
		}
		return nil
	})
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

	run(t, ann, "ann speaks", sees("#said", "Bob joined"), chromedp.SendKeys("#say input", "Hello, Bob!\r"), sees("#said", "Hello, Bob!"))
	run(t, bob, "bob reads and answers", sees("#said", "Hello, Bob!"), chromedp.SendKeys("#say input", "Hi Ann, <b>tea</b>?"))
	run(t, ann, "ann sees bob type", sees("#typing", "Bob is typing"))
	run(t, bob, "bob sends", chromedp.SendKeys("#say input", "\r"))
	run(t, ann, "ann reads", sees("#said", "Hi Ann, <b>tea</b>?"))
	keepScreenshot(t, ann, "chat")

	server.stop()
	run(t, ann, "ann sees the loss, and writes", sees("#said", "Connection lost"), sees("#status", "offline"), sees("#now", " s)"),
		chromedp.SendKeys("#say input", "Are you there?\r"), sees("#waiting", "Are you there?"))
	inspect(t, ann, "chat-away")
	server.start()
	back := time.Now()
	run(t, ann, "ann comes back", chromedp.Evaluate(`document.getElementById("now").click()`, nil), sees("#said", "Connected again"), sees("#said", "the server has restarted"),
		sees("#said", "Are you there?"), sees("#count", "2 people"))
	run(t, bob, "bob comes back, and answers", sees("#status", "connected"), sees("#said", "Are you there?"), chromedp.SendKeys("#say input", "Still here\r"))
	for _, tab := range []context.Context{ann, bob} {
		run(t, tab, "they read again", sees("#said", "Still here"))
	}
	keepScreenshot(t, bob, "chat-again")
	for name, tab := range map[string]context.Context{"ann": ann, "bob": bob} {
		var texts, notes []string
		run(t, tab, name, chromedp.Evaluate(`[...document.querySelectorAll(".text")].map((e) => e.textContent)`, &texts),
			chromedp.Evaluate(`[...document.querySelectorAll(".note")].map((e) => e.textContent).filter((s) => / (joined|left)$/.test(s))`, &notes))
		if want := []string{"Hello, Bob!", "Hi Ann, <b>tea</b>?", "Are you there?", "Still here"}; !slices.Equal(texts, want) {
			t.Errorf("%s has %q", name, texts)
		}
		// The page waits half a minute for those who do not come back.
		if soon := time.Since(back) < 25*time.Second; soon && (name == "bob" && len(notes) > 0 || len(notes) > 1) {
			t.Errorf("%s is told %q after a restart", name, notes)
		}
	}
}

func TestPeopleComeAndGo(t *testing.T) {
	addr := serve(t, "chat").addr
	ann := browser(t)
	enter(t, ann, addr, "Ann")
	other, closeTab := chromedp.NewContext(ann)
	defer closeTab()
	enter(t, other, addr, "Ann")
	run(t, other, "ann speaks in her second window", chromedp.SendKeys("#say input", "It is me\r"), sees("#said .mine", "It is me"))
	run(t, ann, "one person", sees("#said .mine", "It is me"), sees("#count", "1 person here"))
	run(t, other, "the second window is bob's", chromedp.Click("#leave"), chromedp.WaitVisible("#door"))
	enter(t, other, addr, "Bob")
	run(t, ann, "bob", sees("#count", "2 people"), sees("#said", "Bob joined"))
	run(t, other, "bob sees what was said before", sees("#said", "It is me"))
	closeTab()
	run(t, ann, "alone again", sees("#count", "1 person here"), sees("#said", "Bob left"))

	run(t, ann, "a reload", chromedp.Reload(), sees("#status", "connected"), sees("#count", "1 person here"), sees("#said .mine", "It is me"))
	run(t, ann, "ann leaves and comes back at once", chromedp.Click("#leave"), chromedp.SendKeys("[name=name]", "\r"),
		sees("#status", "connected"), sees("#count", "1 person here"))
	var notes int
	run(t, ann, "nothing of herself", chromedp.Evaluate(`document.querySelectorAll(".note").length`, &notes))
	if notes != 0 {
		t.Errorf("%d notes", notes)
	}
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
