// Package natstest breaks connections for the tests of brokers on NATS.
package natstest

import (
	"net"
	"sync"
	"testing"
)

// Proxy passes connections on, and holds or cuts them. Its methods are safe from any
// goroutine.
type Proxy struct {
	net.Listener
	to string

	mu    sync.Mutex // guards the fields below
	pass  *sync.Cond
	held  bool
	quiet bool // what comes back is held
	conns map[net.Conn]bool
	done  bool
}

// NewProxy makes a proxy to an address; it ends with the test.
func NewProxy(t *testing.T, to string) *Proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Listener: l, to: to, conns: make(map[net.Conn]bool)}
	p.pass = sync.NewCond(&p.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() {
		p.mu.Lock()
		p.done, p.held, p.quiet = true, false, false
		p.pass.Broadcast()
		p.mu.Unlock()
		l.Close()
		p.Cut()
		running.Wait()
	})
	return p
}

func (p *Proxy) serve(in net.Conn) {
	out, err := net.Dial("tcp", p.to)
	if err != nil || !p.add(in, out) {
		in.Close()
		return
	}
	var both sync.WaitGroup
	for i, way := range [][2]net.Conn{{in, out}, {out, in}} {
		both.Go(func() {
			defer way[0].Close()
			defer way[1].Close()
			p.copy(way[1], way[0], i == 1)
		})
	}
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, in)
	delete(p.conns, out)
}

func (p *Proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if p.conns[c] = true; p.done {
			c.Close()
		}
	}
	return !p.done
}

func (p *Proxy) copy(to, from net.Conn, reply bool) {
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		for p.held || p.quiet && reply {
			p.pass.Wait()
		}
		p.mu.Unlock()
		if err != nil {
			return
		}
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Hold has the proxy pass nothing on, or again what has come.
func (p *Proxy) Hold(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	p.pass.Broadcast()
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

// HoldReplies is Hold for what comes back alone.
func (p *Proxy) HoldReplies(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quiet = held
	p.pass.Broadcast()
}
