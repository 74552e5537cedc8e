package cluster

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nextrush/nextrush/internal/redistest"
)

// server is a Redis of a test.
type server struct {
	*redistest.Server
	t *testing.T
}

// newRedis starts a server that keeps nothing on its disk, unless args say otherwise.
func newRedis(t *testing.T, args ...string) *server {
	t.Helper()
	return &server{redistest.Start(t, args...), t}
}

func (s *server) client() *goredis.Client { return goredis.NewClient(&goredis.Options{Addr: s.Addr()}) }

// do has the server carry out a command.
func (s *server) do(args ...any) string {
	s.t.Helper()
	client := s.client()
	defer client.Close()
	reply, err := client.Do(context.Background(), args...).Text()
	if err != nil && err != goredis.Nil {
		s.t.Fatalf("%v: %v", args, err)
	}
	return reply
}

// run has a program of Redis carry out a command.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// outage kills the server and starts it again after a while.
func (s *server) outage(down time.Duration) {
	s.t.Helper()
	s.Kill()
	pause(s.t, down)
	s.Start()
}

// reads is how often streams were read.
func (s *server) reads() int {
	s.t.Helper()
	info := s.do("INFO", "commandstats")
	if !strings.Contains(info, "cmdstat_xrange:") {
		return 0
	}
	return number([]byte(info), "cmdstat_xrange:calls=")
}
