// Package python tests the sketch of a client in Python.
package python

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nextrush/nextrush/websocket"
)

// script prints what comes, and asks once it is connected.
const script = `
import asyncio, sys
sys.path.insert(0, ".")
from nextrush import Client

async def main():
    c = Client(sys.argv[1])
    show = lambda *data: print(*data, flush=True)
    c.on("n", lambda n: show("n", n))
    c.on("gap", lambda room: show("gap", room))
    c.on("open", lambda: asyncio.ensure_future(ask()))
    async def ask():
        show("double", await c.request("double", 21, key="0123456789abcdef"))
    await c.run()

asyncio.run(main())
`

// cutter passes connections on to a server, and can cut them.
type cutter struct {
	net.Listener
	to    string
	mu    sync.Mutex // guards conns
	conns []net.Conn
}

func (c *cutter) serve() {
	for {
		near, err := c.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.to)
		if err != nil {
			near.Close()
			continue
		}
		c.mu.Lock()
		c.conns = append(c.conns, near, far)
		c.mu.Unlock()
		go io.Copy(near, far)
		go io.Copy(far, near)
	}
}

func (c *cutter) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.(*net.TCPConn).SetLinger(0)
		conn.Close()
	}
	c.conns = nil
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func interpreter(t *testing.T) string {
	for _, python := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(python, "-c", "import websockets").Run() == nil {
			return python
		}
	}
	t.Skip("python3-websockets is not installed")
	return ""
}

func TestTheSketchIsShort(t *testing.T) {
	text, err := os.ReadFile("nextrush.py")
	if lines := strings.Count(string(text), "\n"); err != nil || lines >= 100 {
		t.Errorf("it has %d lines, %v", lines, err)
	}
}

func TestTheSketchMissesNothing(t *testing.T) {
	python := interpreter(t)
	srv := websocket.NewServer(websocket.Options{Rooms: websocket.Rooms{"room": {History: websocket.History{Messages: 100}}}})
	behind := listen(t)
	l := &cutter{Listener: listen(t), to: behind.Addr().String()}
	var calls atomic.Int32
	once := websocket.Once(time.Minute, 10)
	serving := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.Upgrade(w, r, func(s *websocket.Socket) error {
			s.UseEvents(once)
			s.On("double", func(e *websocket.Event) {
				var n int
				e.Bind(0, &n)
				calls.Add(1)
				e.Reply(2 * n)
			})
			return s.Join("room")
		})
	})}
	go serving.Serve(behind)
	go l.serve()
	defer l.cut()
	defer serving.Close()
	defer srv.Close()
	cmd := exec.Command(python, "-c", script, "ws://"+l.Addr().String()+"/")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	timer := time.AfterFunc(time.Minute, func() { cmd.Process.Kill() })
	defer timer.Stop()
	lines := bufio.NewScanner(out)
	want := func(lineWanted string) {
		t.Helper()
		if !lines.Scan() || lines.Text() != lineWanted {
			t.Fatalf("it says %q, want %q", lines.Text(), lineWanted)
		}
	}
	want("double 42")
	srv.To("room").Emit("n", 1)
	want("n 1")
	l.cut()
	srv.To("room").Emit("n", 2)
	srv.To("room").Emit("n", 3)
	want("n 2")
	want("n 3")
	want("double 42")
	srv.To("room").Emit("n", 4)
	want("n 4")
	if calls.Load() != 1 {
		t.Errorf("the request was carried out %d times", calls.Load())
	}
}
