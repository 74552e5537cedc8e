package nats_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/nextrush/nextrush/internal/freeport"
	"github.com/nextrush/nextrush/internal/leak"
	"github.com/nextrush/nextrush/plugins/cluster/nats"
	"github.com/nextrush/nextrush/websocket/broker"
)

// TestMain runs the tests, or the server of one of them as a process that can be killed.
func TestMain(m *testing.M) {
	port, dir := os.Getenv("NATS_TEST_PORT"), os.Getenv("NATS_TEST_DIR")
	if port == "" {
		leak.Main(m)
	}
	n, _ := strconv.Atoi(port)
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: n, NoLog: true, JetStream: true, StoreDir: dir})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s.Start()
	s.WaitForShutdown()
}

// process is a NATS server that can be killed.
type process struct {
	t         *testing.T
	port, dir string
	cmd       *exec.Cmd
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0])
	p.cmd.Env = append(os.Environ(), "NATS_TEST_PORT="+p.port, "NATS_TEST_DIR="+p.dir)
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	for over := time.Now().Add(limit); ; {
		c, err := net.Dial("tcp", "127.0.0.1:"+p.port)
		if err == nil {
			c.Close()
			return
		}
		if time.Now().After(over) {
			p.t.Fatal(err)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// What is kept is there once, in one order, and what was acknowledged is there.
func TestAServerThatIsKilledLosesNothingThatIsKept(t *testing.T) {
	const kills, each = 5, 40
	port := strconv.Itoa(freeport.Get(t))
	p := &process{t: t, port: port, dir: t.TempDir()}
	p.start()
	defer func() { p.kill() }()
	a := begin(t, nats.Options{URL: "nats://127.0.0.1:" + port}, nil)
	b := begin(t, nats.Options{URL: "nats://127.0.0.1:" + port}, nil)
	keep := broker.Retention{Messages: 10_000, Bytes: 1 << 20, Age: time.Hour}
	for kill := range kills {
		var both sync.WaitGroup
		for _, n := range []*node{a, b} {
			both.Go(func() {
				for i := range each {
					n.say("room", keep, kill*each+i+1, kill*each+i+1)
				}
			})
		}
		p.kill()
		p.start()
		both.Wait()
	}
	page := a.kept("room")
	seen := make(map[string]bool)
	for _, d := range page.Deliveries {
		seen[d.From.String()+string(d.Body)] = true
	}
	if n := 2 * kills * each; len(seen) != n || page.Top.Offset != int64(n) {
		t.Errorf("%d are kept up to %d, want %d", len(seen), page.Top.Offset, n)
	}
}
