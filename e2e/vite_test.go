package e2e

import (
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestViteOfTheGuide sends requests, forms, events and sockets of a page to an app through
// Vite's development server, configured as in the guide.
func TestViteOfTheGuide(t *testing.T) {
	dir, addr := t.TempDir(), freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	config := adapt(t, block(t, "static.md", "js"), "localhost:3000", behind(t))
	write(t, filepath.Join(dir, "vite.config.js"), config)
	write(t, filepath.Join(dir, "package.json"), `{"type": "module"}`)
	write(t, filepath.Join(dir, "index.html"), "<title>The front end</title>")
	shell(t, dir, "npm install --no-audit --no-fund --prefer-offline vite@7.3.8")
	cmd := exec.Command("node", "node_modules/vite/bin/vite.js", "--host", "127.0.0.1", "--port", port, "--strictPort")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "NO_COLOR=1")
	launch(t, addr, cmd)

	v := &visitor{origin: "http://" + addr, ip: "127.0.0.1", http: httpClient(nil)}
	page, _ := io.ReadAll(v.do(t, "GET", "/notes/1", "").Body)
	if !strings.Contains(string(page), "The front end") {
		t.Errorf("page: %.200q", page)
	}
	v.seesItsApp(t, "HTTP/1.1")
}
