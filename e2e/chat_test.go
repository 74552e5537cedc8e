// Package e2e drives the pages of examples in headless Chromium, and an app with
// everything on at once.
package e2e

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// program is an example that runs as a process of its own.
type program struct {
	t    *testing.T
	bin  string
	args []string
	cmd  *exec.Cmd
}

func build(t *testing.T, example string) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), filepath.Base(example))
	cmd := exec.Command("go", "build", "-o", bin, "github.com/nextrush/nextrush/examples/"+example)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// start runs the program and waits until it says that it listens.
func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(p.bin, p.args...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "listening") {
			go func() {
				for lines.Scan() {
				}
			}()
			return
		}
	}
	p.t.Fatal("the program ended before it listened")
}

// stop asks the program to end and waits until it has.
func (p *program) stop() {
	p.t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("the program did not end well: %v", err)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// browser starts Chromium and gives a context for its first tab.
func browser(t *testing.T) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.WindowSize(1000, 700),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
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

// sees waits until the element's text holds a string.
func sees(selector, text string) chromedp.Action {
	js := fmt.Sprintf(`document.querySelector(%q).textContent.includes(%q)`, selector, text)
	return chromedp.Poll(js, nil, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(40*time.Second))
}

// keepScreenshot writes a picture where SCREENSHOTS names a folder.
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

func TestTwoBrowsersTalkAndComeBackAfterARestart(t *testing.T) {
	addr := freeAddress(t)
	server := &program{t: t, bin: build(t, "chat"), args: []string{"-addr", addr}}
	server.start()

	ann := browser(t)
	url := "http://" + addr + "/?room=tea&name="
	run(t, ann, "ann joins", chromedp.Navigate(url+"Ann"), sees("#status", "connected"))
	bob, cancel := chromedp.NewContext(ann)
	defer cancel()
	run(t, bob, "bob joins", chromedp.Navigate(url+"Bob"), sees("#count", "2 people"), sees("#people", "Ann"))

	run(t, ann, "ann speaks", chromedp.SendKeys("#say input", "Hello, Bob!\r"), sees("#log", "Hello, Bob!"))
	run(t, bob, "bob reads and answers", sees("#log", "Hello, Bob!"), chromedp.SendKeys("#say input", "Hi Ann, <b>tea</b>?\r"))
	run(t, ann, "ann reads", sees("#log", "Hi Ann, <b>tea</b>?"))
	keepScreenshot(t, ann, "chat")

	server.stop()
	run(t, ann, "ann sees the loss", sees("#log", "Connection lost"))
	server.start()
	run(t, ann, "ann comes back", sees("#log", "Connected again"), sees("#count", "2 people"))
	run(t, bob, "bob comes back", sees("#status", "connected"), chromedp.SendKeys("#say input", "Still there?\r"))
	run(t, ann, "ann reads again", sees("#log", "Still there?"))
	keepScreenshot(t, bob, "chat-again")
	server.stop()
}

func TestDemoPageEchoes(t *testing.T) {
	bin := build(t, "demo")
	server := &program{t: t, bin: bin}
	server.start()
	ctx := browser(t)
	run(t, ctx, "demo", chromedp.Navigate("http://localhost:3001/"), sees("#log", "welcome"),
		chromedp.Click("#form button"), sees("#log", `← {"type":"echo","text":"Hello, socket"`),
		chromedp.Click("#ping"), sees("#log", `"pong"`),
		chromedp.Click("#unknown"), sees("#log", "unknown message type"), sees("#stats", "connections"))
	keepScreenshot(t, ctx, "demo")
	client := exec.Command("go", "run", "github.com/nextrush/nextrush/examples/demo/client")
	if out, err := client.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	resp, err := http.Get("http://localhost:3001/api/websocket/stats")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("statistics: %v %v", resp, err)
	}
	server.stop()
}
