//go:build unix

// Package postgres runs PostgreSQL for tests.
package postgres

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Start runs a server of its own for a test, and returns what to connect to. Nobody else
// can: it listens on a socket in a folder that goes with the test.
func Start(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "postgres") // t.TempDir can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	data := filepath.Join(dir, "data")
	as := owner(t, dir)
	initdb := exec.Command(program(t, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, as
	if out, err := initdb.CombinedOutput(); err != nil {
		t.Fatalf("initdb: %v\n%s", err, out)
	}
	server := exec.Command(program(t, "postgres"), "-D", data, "-k", dir, "-h", "", "-F")
	server.Dir, server.SysProcAttr = dir, as
	run(t, server)
	return "postgres:///postgres?user=postgres&host=" + dir
}

// run waits until the server is ready, and ends it with the test.
func run(t testing.TB, server *exec.Cmd) {
	t.Helper()
	stderr, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(syscall.SIGINT) // cuts its connections
		server.Wait()
	})
	var said bytes.Buffer
	for lines := bufio.NewScanner(io.TeeReader(stderr, &said)); lines.Scan(); {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go io.Copy(io.Discard, stderr)
			return
		}
	}
	t.Fatalf("postgres did not start:\n%s", &said)
}

// program finds what Debian does not put on the PATH.
func program(t testing.TB, name string) string {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if len(found) > 0 {
		return found[len(found)-1]
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: on Debian, sudo apt-get install postgresql", err)
	}
	return path
}

// owner gives the folder to another user if we are root, as whom PostgreSQL does not run.
func owner(t testing.TB, dir string) *syscall.SysProcAttr {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	as, err := user.Lookup("postgres")
	if err != nil {
		as, err = user.Lookup("nobody")
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, _ := strconv.Atoi(as.Uid)
	gid, _ := strconv.Atoi(as.Gid)
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
}
