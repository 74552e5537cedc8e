//go:build unix

package listen

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnAPortOfTheEnvironment(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(free.Addr().String())
	free.Close()
	t.Setenv("PORT", port)
	ln, err := On("")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if got := ln.Addr().(*net.TCPAddr); !strings.HasSuffix(got.String(), ":"+port) || !got.IP.IsUnspecified() {
		t.Error(got)
	}
	for _, bad := range []string{"http", "70000", "tcp://10.0.0.1:80"} {
		t.Setenv("PORT", bad)
		if _, err := On(""); err == nil || !strings.Contains(err.Error(), "PORT is") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if ln, err := On("127.0.0.1:0"); err != nil {
		t.Error("PORT is for no address alone:", err)
	} else {
		ln.Close()
	}
}

func TestOnAUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sock")
	ln, err := On("unix:" + path + "?mode=606")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o606 {
		t.Error(info.Mode(), err)
	}
	if URL(ln.Addr(), false) != "unix:"+path {
		t.Error(URL(ln.Addr(), false))
	}
	if second, err := On("unix:" + path); err == nil {
		second.Close()
		t.Error("the socket of another process was taken over")
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false) // as after a crash
	ln.Close()
	if _, err := os.Stat(path); err != nil {
		t.Fatal(err)
	}
	ln, err = On("unix:" + path)
	if err != nil {
		t.Fatal("the file of a process that has ended:", err)
	}
	ln.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Error("the file is left:", err)
	}
	for _, query := range []string{"mode=", "mode=999", "mode=1777", "user=me"} {
		if _, err := On("unix:" + path + "?" + query); err == nil || !strings.Contains(err.Error(), "?mode=660") {
			t.Errorf("%s: %v", query, err)
		}
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if ln, err := On("unix:" + path); err == nil {
		ln.Close()
		t.Error("a file that is not a socket was replaced")
	}
}

func TestNothingWasHanded(t *testing.T) {
	for _, env := range [][2]string{{"", ""}, {"1", "1"}, {"0", ""}} {
		t.Setenv("LISTEN_FDS", env[0])
		t.Setenv("LISTEN_PID", env[1])
		if _, err := On("systemd:"); err == nil || !strings.Contains(err.Error(), "start it by a .socket unit") {
			t.Errorf("%q: %v", env, err)
		}
	}
}
