// Package redistest starts Redis for tests.
package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nextrush/nextrush/internal/freeport"
)

// patience is how long a server may take until it answers.
const patience = 30 * time.Second

// Server is a redis-server on loopback. It ends with the test.
type Server struct {
	Port string
	Dir  string // its working directory

	t    testing.TB
	args []string
	cmd  *exec.Cmd
}

// Start starts a server and waits until it answers. It keeps nothing on its disk, unless
// args say otherwise.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	s := &Server{t: t, Port: strconv.Itoa(freeport.Get(t)), Dir: t.TempDir()}
	s.args = append([]string{"--port", s.Port, "--bind", "127.0.0.1", "--save", "", "--dir", s.Dir}, args...)
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Sentinel starts a Sentinel with these lines in its file.
func Sentinel(t testing.TB, lines ...string) *Server {
	t.Helper()
	s := &Server{t: t, Port: strconv.Itoa(freeport.Get(t)), Dir: t.TempDir()}
	file := filepath.Join(s.Dir, "sentinel.conf")
	lines = append([]string{"port " + s.Port, "bind 127.0.0.1", "dir " + s.Dir}, lines...)
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{file, "--sentinel"}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Addr is where the server listens.
func (s *Server) Addr() string { return "127.0.0.1:" + s.Port }

// URL is that of the server, without a user.
func (s *Server) URL() string { return "redis://" + s.Addr() }

// Start starts the server again after Kill.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command("redis-server", s.args...)
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("%v: install redis-server", err)
	}
	for over := time.Now().Add(patience); !s.answers(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(over) {
			s.t.Fatal("Redis does not answer")
		}
	}
}

// answers asks for a PONG. Who is asked for a password first has been answered, too.
func (s *Server) answers() bool {
	answer := s.ask("PING")
	return strings.HasPrefix(answer, "+PONG") || strings.HasPrefix(answer, "-NOAUTH")
}

// ask returns the beginning of what the server answers to a command, or nothing.
func (s *Server) ask(command string) string {
	c, err := net.DialTimeout("tcp", s.Addr(), time.Second)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	fmt.Fprint(c, command+"\r\n")
	answer := make([]byte, 1<<10)
	n, _ := c.Read(answer)
	return string(answer[:n])
}

// Kill ends the server at once, also one that is stopped.
func (s *Server) Kill() {
	if s.cmd == nil || s.cmd.Process == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// Process is the number of its process while it runs.
func (s *Server) Process() int { return s.cmd.Process.Pid }

// Signal sends the process a signal.
func (s *Server) Signal(sig os.Signal) { s.cmd.Process.Signal(sig) }
