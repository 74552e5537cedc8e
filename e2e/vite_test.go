package e2e

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/nextrush/nextrush/internal/freeport"
)

// frontEnd copies one of the cookbook, and the client beside it as in a clone, and installs
// what it needs.
func frontEnd(t *testing.T, of string) (dir string) {
	t.Helper()
	root := t.TempDir()
	of = filepath.Join("examples/cookbook", of)
	dir = filepath.Join(root, of)
	for _, path := range []string{of, "clients/js"} {
		if err := os.CopyFS(filepath.Join(root, path), os.DirFS(filepath.Join("..", path))); err != nil {
			t.Fatal(err)
		}
	}
	shell(t, dir, "rm -rf node_modules dist && for n in 1 2 3; do npm install --no-audit --no-fund --prefer-offline && exit; sleep $n; done; exit 1")
	return dir
}

// startVite starts the development server for a program that listens on backend.
func startVite(t *testing.T, dir, backend string) (addr string) {
	t.Helper()
	_, port, _ := net.SplitHostPort(freeport.Address(t))
	addr = "localhost:" + port
	config := "vite." + port + ".js"
	write(t, filepath.Join(dir, config), adapt(t, cookbook(t, "vite/vite.config.js"), "localhost:3000", backend))
	cmd := exec.Command("node", "node_modules/vite/bin/vite.js", "--config", config, "--port", port, "--strictPort")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	launch(t, addr, cmd)
	return addr
}

// told waits until the browser has complained of something.
func told(said func() []string, what string) chromedp.Action {
	return chromedp.ActionFunc(func(ctx context.Context) error {
		for !strings.Contains(strings.Join(said(), "\n"), what) {
			if err := chromedp.Sleep(50 * time.Millisecond).Do(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestViteOfTheCookbook: the page works through the proxy, without it if the App trusts its
// origin, and when it is built.
func TestViteOfTheCookbook(t *testing.T) {
	dir, backend := frontEnd(t, "vite"), freeport.Address(t)
	vite := startVite(t, dir, backend)
	program := build(t, "cookbook/vite")
	strict := launch(t, backend, exec.Command(program, "-addr", backend, "-dev", "http://elsewhere.example"))
	works := []chromedp.Action{sees("#hello", "Hello from Go"), sees("#said", "Hello over the socket")}
	ctx := browser(t)
	run(t, ctx, "start", log.Enable())
	said := complaints(ctx)
	run(t, ctx, "through the proxy", append([]chromedp.Action{chromedp.Navigate("http://" + vite)}, works...)...)
	for _, s := range said() {
		t.Errorf("the browser says %s", s)
	}

	// Vite reloads a page whose files change, which would abort what navigates then.
	leave := chromedp.Navigate("about:blank")
	run(t, ctx, "leave", leave)
	main := cookbook(t, "vite/src/main.js")
	write(t, filepath.Join(dir, "src/main.js"), adapt(t, main, `"/ws"`, `"/ws", { url: "http://`+backend+`" }`))
	run(t, ctx, "directly", chromedp.Navigate("http://"+vite), sees("#hello", "Hello from Go"), told(said, "Unexpected response code: 403"))
	strict()
	trusting := launch(t, backend, exec.Command(program, "-addr", backend, "-dev", "http://"+vite))
	run(t, ctx, "trusted", append(append([]chromedp.Action{chromedp.Navigate("http://" + vite)}, works...), leave)...)
	trusting()

	write(t, filepath.Join(dir, "src/main.js"), main)
	shell(t, dir, "npm run build")
	built := exec.Command(program, "-addr", backend)
	built.Dir = dir
	launch(t, backend, built)
	said = complaints(ctx)
	run(t, ctx, "built", append([]chromedp.Action{network.Enable(), chromedp.Navigate("http://" + backend)}, works...)...)
	inspect(t, ctx, "cookbook/vite")
	for _, s := range said() {
		t.Errorf("the built page: the browser says %s", s)
	}

	// The last, as it makes the modules anew that the first had made.
	v := &visitor{origin: "http://" + startVite(t, dir, behind(t)), ip: "127.0.0.1", http: httpClient(nil)}
	v.seesItsApp(t, "HTTP/1.1")
}
