package e2e

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// cable is a way to a server that can be cut. Connections are reset then, and refused
// until it is mended.
type cable struct {
	net.Listener
	server string
	carry  func(out, in *net.TCPConn) // until in ends

	mu    sync.Mutex // guards what follows
	cut   bool
	conns []*net.TCPConn
}

func layCable(t *testing.T, server string, carry func(out, in *net.TCPConn)) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, server: server, carry: carry}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.accept()
	}()
	t.Cleanup(func() {
		l.Close()
		<-done
		c.set(true)
	})
	return c
}

func (c *cable) accept() {
	for {
		in, err := c.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", c.server)
		if err != nil {
			in.Close()
			continue
		}
		c.join(in.(*net.TCPConn), out.(*net.TCPConn))
	}
}

func (c *cable) join(in, out *net.TCPConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conns = append(c.conns, in, out); c.cut {
		c.resetLocked()
		return
	}
	for _, way := range [][2]*net.TCPConn{{in, out}, {out, in}} {
		go c.carry(way[0], way[1])
	}
}

// swift carries what comes at once.
func swift(out, in *net.TCPConn) {
	io.Copy(out, in)
	out.CloseWrite()
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut = cut; cut {
		c.resetLocked()
	}
}

func (c *cable) resetLocked() {
	for _, conn := range c.conns {
		conn.SetLinger(0)
		conn.Close()
	}
	c.conns = nil
}

// TestAChatOverACutCable has two people talk while the way of one of them to the server
// is cut again and again: each sees all messages once, and in one order.
func TestAChatOverACutCable(t *testing.T) {
	server := serve(t, "chat")
	way := layCable(t, server.addr, swift)
	ann := browser(t)
	enter(t, ann, way.Addr().String(), "Ann")
	bob, cancel := chromedp.NewContext(ann)
	defer cancel()
	enter(t, bob, server.addr, "Bob")
	run(t, ann, "ann sees bob", sees("#count", "2 people"))
	for n := range 3 {
		way.set(true)
		run(t, ann, "ann writes in the dark", sees("#status", "offline"), chromedp.SendKeys("#say input", fmt.Sprintf("ann %d\r", n)), sees("#waiting", "ann"))
		run(t, bob, "bob speaks", chromedp.SendKeys("#say input", fmt.Sprintf("bob %d\r", n)), sees("#said", fmt.Sprint("bob ", n)))
		way.set(false)
		run(t, ann, "ann hears bob, and is heard", sees("#said", fmt.Sprint("bob ", n)), sees("#said", fmt.Sprint("ann ", n)))
	}
	const all = `[...document.querySelectorAll("#said .text")].map((e) => e.textContent)`
	var heard [2][]string
	var notes []string
	run(t, ann, "what ann has", chromedp.Evaluate(all, &heard[0]),
		chromedp.Evaluate(`[...document.querySelectorAll(".note")].map((e) => e.textContent).filter((s) => /missed|left/.test(s))`, &notes))
	run(t, bob, "what bob has", sees("#said", "ann 2"), chromedp.Evaluate(all, &heard[1]))
	if len(heard[0]) != 6 || !slices.Equal(heard[0], heard[1]) {
		t.Errorf("ann has %q\nbob has %q", heard[0], heard[1])
	}
	if len(notes) > 0 {
		t.Errorf("ann is told %q", notes)
	}
}
