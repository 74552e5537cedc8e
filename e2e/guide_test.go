package e2e

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nextrush/nextrush"
)

// patience is how long a test waits for a program: a slow one answers sooner.
const patience = 60 * time.Second

// serveApp serves the app on a free port until the test ends.
func serveApp(t *testing.T, app *nextrush.App) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- app.Serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		if err := app.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// block returns the only block of a language in a page of the guides.
func block(t *testing.T, page, language string) string {
	t.Helper()
	all := blocks(t, page, language)
	if len(all) != 1 {
		t.Fatalf("%s has %d blocks of %s, want 1", page, len(all), language)
	}
	return all[0]
}

// blocks returns the code blocks of that language in a page of the docs.
func blocks(t *testing.T, page, language string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "```"+language+"\n")
	for found {
		var code string
		code, rest, _ = strings.Cut(rest, "```")
		all = append(all, code)
		_, rest, found = strings.Cut(rest, "```"+language+"\n")
	}
	return all
}

// adapt replaces what depends on the machine. It fails if an old text is missing.
func adapt(t *testing.T, config string, oldNew ...string) string {
	t.Helper()
	for i := 0; i < len(oldNew); i += 2 {
		if !strings.Contains(config, oldNew[i]) {
			t.Fatalf("the block in the guide has no %q:\n%s", oldNew[i], config)
		}
	}
	return strings.NewReplacer(oldNew...).Replace(config)
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// launch starts a program and waits until it accepts connections. stop ends it with
// SIGTERM, as does the end of the test.
func launch(t *testing.T, addr string, cmd *exec.Cmd) (stop func() error) {
	t.Helper()
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	stop = sync.OnceValue(func() error {
		cmd.Process.Signal(syscall.SIGTERM)
		return <-ended
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("%s said:\n%s", cmd.Path, &output)
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return stop
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", cmd.Path, err)
		case <-late:
			t.Fatalf("%s does not listen on %s", cmd.Path, addr)
		case <-tick.C:
		}
	}
}

func shell(t *testing.T, dir, line string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", line, err, out)
	}
}
