package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// record keeps what is written to it, for those who wait for it.
type record struct {
	mu      sync.Mutex // guards the fields below
	text    string
	changed chan struct{} // closed at the next write
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.text += string(p)
	close(r.changed)
	r.changed = make(chan struct{})
	return len(p), nil
}

// count returns how often what has been written holds word.
func (r *record) count(word string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return strings.Count(r.text, word)
}

// await returns what the n-th match has in its first group.
func (r *record) await(t *testing.T, pattern string, n int) string {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		r.mu.Lock()
		text, changed := r.text, r.changed
		r.mu.Unlock()
		if found := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1); len(found) >= n {
			return found[n-1][len(found[n-1])-1]
		}
		select {
		case <-changed:
		case <-late:
			t.Fatalf("no %q in\n%s", pattern, text)
		}
	}
}

// page is a program without the framework, which takes long to link. It listens as Listen does.
const page = `package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
)

func main() {
	pid, child := 0, exec.Command("sleep", "1000")
	if child.Start() == nil {
		pid = child.Process.Pid
	}
	ln, err := net.Listen("tcp", os.Getenv("NEXTRUSH_DEV_LISTEN"))
	if err != nil {
		panic(err)
	}
	http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintln(w, "one", r.Host, os.Args[1:], os.Getpid(), pid)
	}))
}
`

// developed is a program that dev runs.
type developed struct {
	t    *testing.T
	file string // main.go
	said *record
	url  string
	end  func() // as Ctrl-C does; returns when dev has
}

func develop(t *testing.T) *developed {
	dir := t.TempDir()
	d := &developed{t: t, file: filepath.Join(dir, "main.go"), said: &record{changed: make(chan struct{})}}
	t.Setenv("GOWORK", "off")
	save(t, filepath.Join(dir, "go.mod"), "module example.com/page\n\ngo 1.26\n")
	save(t, d.file, page)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, []string{"dev", "-addr", "127.0.0.1:0", dir, "--", "-v", "x"}, terminal{strings.NewReader(""), io.Discard, d.said})
	}()
	d.end = sync.OnceFunc(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(d.end)
	d.url = d.said.await(t, `building for (\S+)\n`, 1)
	return d
}

// change saves main.go, and returns when requests wait for the program that becomes of it.
func (d *developed) change(from, to string, n int) {
	d.t.Helper()
	text, err := os.ReadFile(d.file)
	if err != nil || !strings.Contains(string(text), from) {
		d.t.Fatalf("no %q in main.go, %v", from, err)
	}
	save(d.t, d.file, strings.ReplaceAll(string(text), from, to))
	d.said.await(d.t, `changed: (main.go)`, n)
}

func (d *developed) get(accept string) (int, string) {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodGet, d.url+"/", nil)
	if err != nil {
		d.t.Fatal(err)
	}
	r.Header.Set("Accept", accept)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestDevRunsWhatTheFilesSay(t *testing.T) {
	d := develop(t)
	status, text := d.get("text/html")
	host := strings.TrimPrefix(d.url, "http://")
	if !strings.HasPrefix(text, "one "+host+" [-v x] ") || !strings.Contains(text, `<script src="/.nextrush/dev.js?`) {
		t.Errorf("%d %s", status, text)
	}
	before := pids(t, text)
	d.change(`"one"`, `"two"`, 1)
	if status, text = d.get("*/*"); !strings.HasPrefix(text, "two ") || strings.Contains(text, "script") {
		t.Errorf("%d %s", status, text)
	}
	wantGone(t, before)

	d.change("func main() {\n", "func main() {\n\tvar _ int = \"<i>\"\n", 2)
	if status, text = d.get("text/html"); status != 503 || !strings.Contains(text, "main.go:12:14") || !strings.Contains(text, "&lt;i&gt;&#34;") ||
		!strings.Contains(text, `<script src="/.nextrush/dev.js?`) {
		t.Errorf("%d %s", status, text)
	}
	if status, text = d.get("*/*"); status != 503 || !strings.Contains(text, "\"<i>\"") {
		t.Errorf("%d %s", status, text)
	}

	d.change("var _ int = \"<i>\"\n", "println(\"no database\"); os.Exit(7)\n", 3)
	d.said.await(t, `the program has ended: exit status 7`, 1)
	if status, text = d.get("text/html"); status != 503 || !strings.Contains(text, "exit status 7") || !strings.Contains(text, "no database") {
		t.Errorf("%d %s", status, text)
	}

	d.change("println(\"no database\"); os.Exit(7)\n", "", 4)
	if _, text = d.get("*/*"); !strings.HasPrefix(text, "two ") {
		t.Error(text)
	}
	for i := range 50 {
		save(t, d.file, page+strings.Repeat("\n", i))
	}
	d.said.await(t, `changed: (main.go)`, 5)
	if _, text = d.get("*/*"); !strings.HasPrefix(text, "one ") {
		t.Error(text)
	}
	if n := d.said.count("ready at"); n > 5 {
		t.Errorf("%d programs were started, for 3 changes and 50 quick ones", n)
	}
	d.end()
	wantGone(t, pids(t, text))
}

// pids are those of the program and of what it has started.
func pids(t *testing.T, text string) (all []int) {
	t.Helper()
	first, _, _ := strings.Cut(text, "\n")
	words := strings.Fields(first)
	for _, word := range words[len(words)-2:] {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		all = append(all, pid)
	}
	return all
}

func wantGone(t *testing.T, pids []int) {
	t.Helper()
	if runtime.GOOS == "windows" {
		return
	}
	for _, pid := range pids {
		if alive(pid) {
			t.Errorf("process %d is left", pid)
		}
	}
}

// alive waits for init to take notice of a process that has ended, if it must.
func alive(pid int) bool {
	for range 1000 {
		if !exists(pid) {
			return false
		}
		<-time.After(time.Millisecond)
	}
	return true
}

func TestDevSaysWhatIsWrongWithItsArguments(t *testing.T) {
	for args, want := range map[string]string{
		"dev no/folder":           `"no/folder" is not a folder`,
		"dev -addr 3000 .":        `write ":3000"`,
		"dev a b":                 `"b" is left`,
		"dev -addr 256.0.0.1:0 .": "-addr takes another address",
	} {
		if _, _, err := invoke(t, "", strings.Fields(args)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", args, err)
		}
	}
}

// writerFunc has a test do something when dev writes.
type writerFunc func(p []byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// Editors and generators leave files for a moment. Requests must not wait for them.
func TestDevAnswersThoughAFileWasThereWhileItBuiltOnly(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("GOWORK", "off")
	save(t, filepath.Join(dir, "go.mod"), "module example.com/page\n\ngo 1.26\n")
	save(t, filepath.Join(dir, "main.go"), "package main\n\nmistake\n")
	source, err := locate(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	f := newFront()
	defer f.close()
	file := filepath.Join(dir, "passing.css")
	appear := sync.OnceFunc(func() { save(t, file, "") })
	said := writerFunc(func(p []byte) {
		switch text := string(p); {
		case strings.Contains(text, "main.go:3"):
			appear()
		case strings.Contains(text, "changed: passing.css"):
			os.Remove(file)
		}
	})
	s := workshop{source: source, temp: t.TempDir(), front: f, t: terminal{strings.NewReader(""), io.Discard, said}, watcher: watcher{dir, extensions}}
	s.renew(t.Context(), s.watcher.look())
	select {
	case <-f.settled:
	default:
		t.Error("requests go on to wait")
	}
}
