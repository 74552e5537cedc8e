//go:build unix

package nextrush

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSwapProcess is the program of the tests below, in a process of its own.
func TestSwapProcess(t *testing.T) {
	if os.Getenv("SWAP_NAME") == "" {
		t.Skip("it is run by another test")
	}
	app := New()
	app.Any("/", func(c *Context) error {
		body, err := c.Body()
		if err != nil {
			return err
		}
		return c.Text(os.Getenv("SWAP_NAME") + string(body))
	})
	if err := app.Listen(os.Getenv("SWAP_ADDR")); err != nil {
		t.Fatal(err)
	}
}

// swap starts processes as systemd does: with a socket, and a place to say that they are
// ready.
type swap struct {
	t      *testing.T
	socket *os.File
	notify *net.UnixConn
}

func newSwap(t *testing.T, ln interface{ File() (*os.File, error) }) *swap {
	socket, err := ln.File()
	if err != nil {
		t.Fatal(err)
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "n"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close(); notify.Close() })
	return &swap{t, socket, notify}
}

func (s *swap) heard() string {
	s.notify.SetReadDeadline(time.Now().Add(time.Minute))
	b := make([]byte, 64)
	n, err := s.notify.Read(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b[:n])
}

// start starts a process, and returns when it serves.
func (s *swap) start(name, addr string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" "$@"`, os.Args[0], "-test.run=^TestSwapProcess$")
	cmd.Env = append(os.Environ(), "SWAP_NAME="+name, "SWAP_ADDR="+addr, "LISTEN_FDS=1", "LISTEN_FDNAMES=web",
		"NOTIFY_SOCKET="+s.notify.LocalAddr().String())
	cmd.ExtraFiles = []*os.File{s.socket}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { cmd.Process.Kill() })
	if got := s.heard(); got != "READY=1" {
		s.t.Fatal(got)
	}
	return cmd
}

// stop asks the process to end, and waits until it has.
func (s *swap) stop(cmd *exec.Cmd) {
	s.t.Helper()
	cmd.Process.Signal(syscall.SIGTERM)
	if got := s.heard(); got != "STOPPING=1" {
		s.t.Error(got)
	}
	if err := cmd.Wait(); err != nil {
		s.t.Error("the process failed:", err)
	}
}

// load asks without a pause, on new connections and on ones that are kept, until it is
// stopped. It counts the answers of each process.
type load struct {
	stop chan struct{}
	wg   sync.WaitGroup

	mu     sync.Mutex // guards what follows
	heard  *sync.Cond
	counts map[string]int
	errs   []error
}

func newLoad(url string) *load {
	l := &load{stop: make(chan struct{}), counts: make(map[string]int)}
	l.heard = sync.NewCond(&l.mu)
	for i := range 8 {
		client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: i%2 == 0}}
		method, body := http.MethodGet, ""
		if i%2 == 0 { // what is written to a connection while it closes is sent again for GET alone
			method, body = http.MethodPost, " and a body"
		}
		l.wg.Go(func() {
			defer client.CloseIdleConnections()
			for {
				select {
				case <-l.stop:
					return
				default:
					l.ask(client, method, url, body)
				}
			}
		})
	}
	return l
}

func (l *load) ask(client *http.Client, method, url, body string) {
	r, _ := http.NewRequest(method, url, strings.NewReader(body))
	res, err := client.Do(r)
	var text []byte
	if err == nil {
		text, err = io.ReadAll(res.Body)
		res.Body.Close()
		if err == nil && (res.StatusCode != 200 || !strings.HasSuffix(string(text), body)) {
			err = fmt.Errorf("%d %s", res.StatusCode, text)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.errs = append(l.errs, err)
	}
	l.counts[strings.TrimSuffix(string(text), body)]++
	l.heard.Broadcast()
}

// wait returns when the process has answered 100 times more.
func (l *load) wait(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for enough := l.counts[name] + 100; l.counts[name] < enough && len(l.errs) == 0; {
		l.heard.Wait()
	}
}

// Two processes that share a socket also share the connections that wait on it, so none
// is lost when one of them ends.
func TestASwapOfProcessesLosesNoRequest(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newSwap(t, ln.(*net.TCPListener))
	running := s.start("0", "systemd:web")
	l := newLoad("http://" + ln.Addr().String())
	for i := range 4 {
		l.wait(fmt.Sprint(i))
		next := s.start(fmt.Sprint(i+1), "systemd:")
		s.stop(running)
		running = next
	}
	l.wait("4")
	close(l.stop)
	l.wg.Wait()
	s.stop(running)
	if err := errors.Join(l.errs...); err != nil {
		t.Error(err)
	}
	t.Log(l.counts)
}

// A socket that is handed on keeps connections waiting while no process runs.
func TestARestartBehindASocketLosesNoRequest(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newSwap(t, ln.(*net.TCPListener))
	running := s.start("0", "systemd:")
	l := newLoad("http://" + ln.Addr().String())
	for i := range 2 {
		l.wait(fmt.Sprint(i))
		s.stop(running)
		running = s.start(fmt.Sprint(i+1), "systemd:")
	}
	l.wait("2")
	close(l.stop)
	l.wg.Wait()
	s.stop(running)
	if err := errors.Join(l.errs...); err != nil {
		t.Error(err)
	}
}

// systemd hands on a socket that blocks, unless NonBlocking is set, for all who share it:
// who then asks for the next connection is held until there is one.
func TestASharedSocketThatBlocksHoldsNobodyBack(t *testing.T) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // systemd has none
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	s := newSwap(t, ln.(*net.TCPListener))
	running := s.start("0", "systemd:")
	if err := syscall.SetNonblock(int(s.socket.Fd()), false); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	late := time.AfterFunc(20*time.Second, func() { running.Process.Kill() })
	defer late.Stop()
	s.stop(running)
}
