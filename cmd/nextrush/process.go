package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/listen"
)

const (
	knockEvery = 20 * time.Millisecond
	slowStart  = 10 * time.Second // after that somebody is told what the program lacks
	killAfter  = 5 * time.Second
	maxTail    = 16 << 10 // bytes
)

// process is a program that runs.
type process struct {
	cmd     *exec.Cmd
	addr    string        // where it listens
	listens chan struct{} // closed when it does
	ended   chan struct{} // closed when it has ended
	err     error         // how it has, after that
	said    tail
}

func start(file string, args []string, dir string, t terminal) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: exec.Command(file, args...), addr: addr, listens: make(chan struct{}), ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, t.out, io.MultiWriter(t.err, &p.said)
	p.cmd.Env = append(os.Environ(), listen.DevEnv+"="+addr)
	if isTerminal(t.err) {
		p.cmd.Env = append(p.cmd.Env, "FORCE_COLOR=1")
	}
	p.cmd.WaitDelay = time.Second // for what the program has started
	p.cmd.SysProcAttr = ofItsOwnGroup()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.cmd.Wait()
		if p.err == nil {
			p.err = errors.New("it has returned from main")
		}
		close(p.ended)
	}()
	go p.knock(t)
	return p, nil
}

// freeAddress is one of the loopback, so that nobody else reaches the program.
func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// knock waits until the program listens.
func (p *process) knock(t terminal) {
	late := time.NewTimer(slowStart)
	defer late.Stop()
	for {
		if conn, err := net.DialTimeout("tcp", p.addr, time.Second); err == nil {
			conn.Close()
			close(p.listens)
			return
		}
		select {
		case <-p.ended:
			return
		case <-late.C:
			fmt.Fprintf(t.err, "nextrush: no call of App.Listen for %v; dev needs a program that calls it\n", slowStart)
		case <-time.After(knockEvery):
		}
	}
}

// stop asks the program to end, and ends it and what it has started if it takes too long.
func (p *process) stop() {
	terminate(p.cmd.Process)
	select {
	case <-p.ended:
	case <-time.After(killAfter):
	}
	kill(p.cmd.Process)
	<-p.ended
}

// tail is the end of what was written to it. It is safe from any goroutine.
type tail struct {
	mu   sync.Mutex // guards text
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	t.text = t.text[max(0, len(t.text)-maxTail):]
	return len(p), nil
}

var colours = regexp.MustCompile("\x1b\\[[0-9;]*m")

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return colours.ReplaceAllString(string(t.text), "")
}

// isTerminal reports whether somebody reads or writes there.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(info, null)
}
