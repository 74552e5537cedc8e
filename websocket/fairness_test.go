//go:build linux

package websocket

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Each of these is more than an engine has goroutines that poll, and comes at once,
// as when all clients of a server come back and their first message asks a database.
func TestManyCallbacksThatBlockAtOnceDelayNobody(t *testing.T) {
	for _, size := range []struct {
		name          string
		networks      []network
		blocked, idle int
	}{
		{"a thousand", []network{overTCP, portable}, 1000, 0},
		{"hundreds", []network{resumedTLS}, 700, 0}, // handshakes take their time
		{"hundreds beside idle sockets", []network{overTCP, portable}, 400, 3000},
	} {
		for _, n := range size.networks {
			t.Run(size.name+"/"+n.name, func(t *testing.T) {
				needDescriptors(t, 2*(size.blocked+size.idle))
				useOneProcessor(t)
				c := newCrowded(t, n, size.blocked)
				for range size.idle {
					c.connect(t)
				}
				c.block(t, size.blocked)
				c.others(t, true)
				c.awaitBlocked(t, size.blocked)
				c.others(t, true)
				c.release(t)
			})
		}
	}
}

// What a hand-over needs it has to have before: who can open sockets could else
// turn one slow callback into a stop.
func TestCallbacksThatBlockDelayNobodyWithoutAFreeDescriptor(t *testing.T) {
	for _, n := range []network{overTCP, resumedTLS, portable} {
		t.Run(n.name, func(t *testing.T) {
			useOneProcessor(t)
			const blocked = 50
			c := newCrowded(t, n, blocked)
			useUpDescriptors(t)
			c.block(t, 1)
			c.others(t, false)
			c.awaitBlocked(t, 1)
			c.others(t, false)
			c.block(t, blocked-1)
			c.others(t, false)
			c.awaitBlocked(t, blocked-1)
			c.others(t, false)
			c.release(t)
		})
	}
}

// resumedTLS is overTLS with handshakes that are cheap from the second on.
var resumedTLS = network{"tls", false, func(t testing.TB) (net.Listener, func() (net.Conn, error)) {
	l, dial := listenTCP(t)
	client, server := tlsConfigs()
	client = client.Clone()
	client.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	return tls.NewListener(PollListener(l), server), func() (net.Conn, error) {
		conn, err := dial()
		if err != nil {
			return nil, err
		}
		return tls.Client(conn, client), nil
	}
}}

// useOneProcessor leaves the engine, and all the rest, one goroutine at a time.
func useOneProcessor(t *testing.T) {
	before := runtime.GOMAXPROCS(1)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func needDescriptors(t *testing.T, n int) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur < uint64(n)+200 {
		t.Skipf("ulimit -n is %d, need %d", limit.Cur, n+200)
	}
}

// useUpDescriptors leaves none to the process until the test ends.
func useUpDescriptors(t *testing.T) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	lower := limit
	lower.Cur = uint64(len(open))
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lower); err != nil {
		t.Fatal(err)
	}
	var filler []int
	t.Cleanup(func() {
		for _, fd := range filler {
			syscall.Close(fd)
		}
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
			t.Fatal(err)
		}
	})
	for {
		fd, err := syscall.Dup(0)
		if errors.Is(err, syscall.EMFILE) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		filler = append(filler, fd)
	}
}

// crowded is a site some of whose sockets are to block, and others who are to be
// served meanwhile.
type crowded struct {
	*site
	g       *gate
	sockets []light // of those that block
	sent    int     // how many of them have been told to
	echo    light
	page    light // speaks HTTP
}

func newCrowded(t *testing.T, n network, blocked int) *crowded {
	t.Helper()
	g := newGate(t)
	srv := NewServer(Options{DisablePolling: n.portable, PingInterval: -1})
	c := &crowded{g: g}
	c.site = n.serveHTTP(t, srv, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/page" {
			io.WriteString(w, "page")
			return
		}
		srv.Upgrade(w, r, func(s *Socket) error {
			s.OnMessage(func(m Message) {
				if m.Text() == "block" {
					g.pass(s)
				}
				s.SendMessage(m)
			})
			return nil
		})
	})
	for range blocked {
		c.sockets = append(c.sockets, c.connect(t))
	}
	c.echo = c.connect(t)
	c.page = c.open(t)
	c.others(t, true) // once without those that block
	return c
}

// light is a client without a goroutine and a buffer, of which there can be many.
type light struct{ net.Conn }

func (c *crowded) open(t *testing.T) light {
	t.Helper()
	conn, err := c.conn()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	return light{conn}
}

// connect shakes hands.
func (c *crowded) connect(t *testing.T) light {
	t.Helper()
	l := c.open(t)
	io.WriteString(l, greeting())
	var head []byte
	for b := make([]byte, 512); !bytes.HasSuffix(head, []byte("\r\n\r\n")); {
		n, err := l.Read(b)
		if err != nil {
			t.Fatalf("no answer to the handshake: %v", err)
		}
		head = append(head, b[:n]...)
	}
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")) {
		t.Fatalf("handshake answered with %.40q", head)
	}
	return l
}

func (l light) say(text string) error {
	_, err := l.Write(client("1 000 0001", text))
	return err
}

func (l light) expect(text string) error {
	want := unmasked("1 000 0001", text)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(l, got); err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%q came, want %q", got, want)
	}
	return nil
}

// block has n more sockets send a message whose callback blocks.
func (c *crowded) block(t *testing.T, n int) {
	t.Helper()
	for _, l := range c.sockets[c.sent : c.sent+n] {
		l.SetDeadline(time.Now().Add(patience))
		if err := l.say("block"); err != nil {
			t.Fatal(err)
		}
	}
	c.sent += n
}

func (c *crowded) awaitBlocked(t *testing.T, n int) {
	t.Helper()
	for range n {
		wait(t, c.g.entered, "a callback")
	}
}

// others are served soon: an open socket, a request on an open connection, and,
// if there are descriptors, a new socket.
func (c *crowded) others(t *testing.T, upgrades bool) {
	t.Helper()
	start := time.Now()
	took := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if d := time.Since(start); d > soon {
			t.Fatalf("%s has taken %v", what, d)
		}
	}
	c.echo.SetDeadline(start.Add(soon))
	for range 5 {
		err := c.echo.say("echo")
		if err == nil {
			err = c.echo.expect("echo")
		}
		took("another socket's echo", err)
	}
	c.page.SetDeadline(start.Add(soon))
	took("an HTTP request", c.request())
	if upgrades {
		l := c.connect(t)
		took("an upgrade", nil)
		err := l.say("echo")
		if err == nil {
			err = l.expect("echo")
		}
		took("a new socket's echo", err)
		l.Close()
	}
}

func (c *crowded) request() error {
	io.WriteString(c.page, "GET /page HTTP/1.1\r\nHost: server.example\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c.page), nil)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(res.Body)
	if err == nil && !strings.HasPrefix(string(body), "page") {
		err = fmt.Errorf("answer is %q", body)
	}
	return err
}

// release lets all callbacks return, and each answers.
func (c *crowded) release(t *testing.T) {
	t.Helper()
	c.g.release()
	for _, l := range c.sockets[:c.sent] {
		l.SetDeadline(time.Now().Add(patience))
		if err := l.expect("block"); err != nil {
			t.Fatalf("a callback's answer: %v", err)
		}
	}
}
