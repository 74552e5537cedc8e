package e2e

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// manager does what systemd does for the units of the swap: it keeps the socket, starts
// programs with it, and waits until they are ready.
type manager struct {
	t       *testing.T
	dir     string // has the programs and a systemctl
	socket  *os.File
	notify  *net.UnixConn
	start   string // of app@.service
	running map[string]*exec.Cmd
}

func newManager(t *testing.T) (m *manager, addr string) {
	t.Helper()
	var config net.ListenConfig
	config.SetMultipathTCP(false) // systemd has none
	ln, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	m = &manager{t: t, dir: t.TempDir(), running: make(map[string]*exec.Cmd)}
	m.start = find(t, `(?m)^ExecStart=(.*)$`, cookbook(t, "swap/app@.service")) + " -drain 500ms"
	if m.socket, err = ln.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	m.notify, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(m.dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, cmd := range m.running {
			cmd.Process.Kill()
		}
		m.socket.Close()
		m.notify.Close()
	})
	return m, ln.Addr().String()
}

// obey answers the calls of systemctl until there are no more. They come through one pipe
// and are answered through another.
func (m *manager) obey(calls, answers *os.File) {
	lines := bufio.NewScanner(calls)
	for lines.Scan() {
		verb, unit, _ := strings.Cut(strings.ReplaceAll(lines.Text(), " --quiet", ""), " ")
		_, name, _ := strings.Cut(unit, "@")
		answer := "0\n"
		if !m.do(verb, name) {
			answer = "1\n"
		}
		answers.WriteString(answer)
	}
}

func (m *manager) do(verb, name string) bool {
	cmd := m.running[name]
	switch verb {
	case "is-active":
		return cmd != nil
	case "start":
		return m.run(name)
	case "stop":
		if cmd != nil {
			delete(m.running, name)
			cmd.Process.Signal(syscall.SIGTERM)
			if first, last := m.heard(), m.heard(); first != "STOPPING=1" || last != "0" {
				m.t.Errorf("app-%s ends with %q, %q", name, first, last)
			}
		}
	}
	return true
}

// run starts a program with the socket, and waits until it is ready. When it ends, notify
// tells with what code.
func (m *manager) run(name string) bool {
	line := strings.NewReplacer("/usr/local/bin", m.dir, "%i", name).Replace(m.start)
	cmd := exec.Command("sh", "-c", "LISTEN_PID=$$ exec "+line)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+m.notify.LocalAddr().String())
	cmd.ExtraFiles = []*os.File{m.socket}
	if err := cmd.Start(); err != nil {
		m.t.Error(err)
		return false
	}
	go func() {
		cmd.Wait()
		m.notify.WriteTo([]byte(strconv.Itoa(cmd.ProcessState.ExitCode())), m.notify.LocalAddr())
	}()
	if m.heard() != "READY=1" {
		return false
	}
	m.running[name] = cmd
	return true
}

func (m *manager) heard() string {
	m.notify.SetReadDeadline(time.Now().Add(patience))
	b := make([]byte, 64)
	n, _ := m.notify.Read(b)
	return string(b[:n])
}

// deploy runs the script of the cookbook.
func (m *manager) deploy(program string) ([]byte, error) {
	script := strings.ReplaceAll(cookbook(m.t, "swap/deploy.sh"), "/usr/local/bin", m.dir)
	write(m.t, filepath.Join(m.dir, "deploy.sh"), script)
	systemctl := filepath.Join(m.dir, "systemctl")
	write(m.t, systemctl, "#!/bin/sh\necho \"$*\" >&3\nread code <&4\nexit $code\n")
	if err := os.Chmod(systemctl, 0o755); err != nil {
		m.t.Fatal(err)
	}
	calls, called, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	answered, answers, err := os.Pipe()
	if err != nil {
		m.t.Fatal(err)
	}
	cmd := exec.Command("sh", filepath.Join(m.dir, "deploy.sh"), program)
	cmd.Env = append(os.Environ(), "PATH="+m.dir+":"+os.Getenv("PATH"))
	cmd.ExtraFiles = []*os.File{called, answered}
	obeyed := make(chan struct{})
	go func() {
		defer close(obeyed)
		m.obey(calls, answers)
	}()
	out, err := cmd.CombinedOutput()
	called.Close()
	<-obeyed
	calls.Close()
	answered.Close()
	answers.Close()
	return out, err
}

// TestTheSwapOfTheCookbookLosesNoRequest also for those that send on kept connections.
func TestTheSwapOfTheCookbookLosesNoRequest(t *testing.T) {
	program := build(t, "cookbook/server")
	m, addr := newManager(t)
	m.deployed(program)
	l := newLoad("http://" + addr)
	for range 3 {
		l.more(100)
		m.deployed(program)
	}
	if out, err := m.deploy("/bin/false"); err == nil || len(m.running) != 1 {
		t.Errorf("a version that does not start: %v %s", err, out)
	}
	l.more(100)
	l.end(t)
	m.do("stop", "blue")
	m.do("stop", "green")
}

func (m *manager) deployed(program string) {
	m.t.Helper()
	if out, err := m.deploy(program); err != nil || len(m.running) != 1 {
		m.t.Fatalf("%v, %d run\n%s", err, len(m.running), out)
	}
}
