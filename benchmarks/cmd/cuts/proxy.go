package main

import (
	"context"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy is the network of one client.
type proxy struct {
	l net.Listener

	mu    sync.Mutex
	to    string
	down  bool
	conns map[net.Conn]bool // both sides of all connections
	still atomic.Bool       // nothing passes
}

func newProxy(to string) (*proxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{l: l, to: to, conns: make(map[net.Conn]bool)}
	go p.accept()
	return p, nil
}

func (p *proxy) accept() {
	for {
		in, err := p.l.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", p.server())
		if err != nil || !p.add(in, out) {
			reset(in)
			if out != nil {
				reset(out)
			}
			continue
		}
		go p.pipe(in, out)
		go p.pipe(out, in)
	}
}

func (p *proxy) server() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.to
}

// lead has later connections go to another server.
func (p *proxy) lead(to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = to
}

func (p *proxy) add(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		if !p.down {
			p.conns[c] = true
		}
	}
	return !p.down
}

func (p *proxy) pipe(from, to net.Conn) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		for p.still.Load() {
			time.Sleep(10 * time.Millisecond)
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			reset(from)
			reset(to)
			return
		}
	}
}

func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// cutAgainAndAgain takes turns: the connections are reset, or nothing passes for a while and
// then they are.
func (p *proxy) cutAgainAndAgain(ctx context.Context) {
	wait := time.Duration(rand.Float64() * float64(*every))
	for stall := rand.IntN(2) == 0; ; stall = !stall {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		p.still.Store(stall)
		if !stall {
			p.cut(true)
		}
		time.Sleep(*away)
		if stall {
			p.cut(false)
			p.still.Store(false)
		} else {
			p.cut(false)
		}
		wait = *every - *away
	}
}

// cut resets the connections; down refuses others from then on.
func (p *proxy) cut(down bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = down
	for c := range p.conns {
		reset(c)
	}
	clear(p.conns)
}
