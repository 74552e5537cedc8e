package cluster

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// proxy passes TCP connections on, or does to them what networks do. Its methods are safe
// from any goroutine.
type proxy struct {
	ln     net.Listener
	target func() string // empty: there is none

	wg    sync.WaitGroup
	delay atomic.Int64           // nanoseconds, each way
	mute  atomic.Pointer[[]byte] // the reply to the next request with that ends the connection, and is not passed on

	mu    sync.Mutex // guards the fields below
	open  *sync.Cond // when held becomes false
	held  bool
	cut   bool
	conns map[net.Conn]struct{}
}

func newProxy(t *testing.T, target func() string) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{ln: ln, target: target, conns: make(map[net.Conn]struct{})}
	p.open = sync.NewCond(&p.mu)
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.setHeld(false)
		p.setCut(true)
		p.wg.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return
		}
		p.wg.Go(func() { p.serve(c) })
	}
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	server, err := net.DialTimeout("tcp", p.target(), 5*time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(server) {
		return
	}
	defer p.remove(server)
	var wg sync.WaitGroup
	var muted atomic.Bool
	wg.Go(func() { p.pass(server, client, func(request []byte) bool { p.listen(request, &muted); return true }) })
	p.pass(client, server, func([]byte) bool { return !muted.Load() })
	wg.Wait()
}

func (p *proxy) add(c net.Conn) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

func (p *proxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// loseReply has the reply to the next request that contains text lost, with the connection.
func (p *proxy) loseReply(text string) {
	b := []byte(text)
	p.mute.Store(&b)
}

func (p *proxy) listen(request []byte, muted *atomic.Bool) {
	if text := p.mute.Load(); text != nil && bytes.Contains(request, *text) && p.mute.CompareAndSwap(text, nil) {
		muted.Store(true)
	}
}

type chunk struct {
	data []byte
	at   time.Time
}

// pass copies until one of the connections ends or let is false, and ends both.
func (p *proxy) pass(to, from net.Conn, let func([]byte) bool) {
	defer to.Close()
	defer from.Close()
	chunks := make(chan chunk, 1024)
	p.wg.Go(func() {
		defer from.Close() // so that nothing is read that cannot be written
		for c := range chunks {
			time.Sleep(time.Until(c.at.Add(time.Duration(p.delay.Load()))))
			p.await()
			if _, err := to.Write(c.data); err != nil {
				break
			}
		}
		for range chunks { // until the reader has noticed
		}
	})
	defer close(chunks)
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil || !let(buf[:n]) {
			return
		}
		chunks <- chunk{append([]byte(nil), buf[:n]...), time.Now()}
	}
}

// await waits while connections are held.
func (p *proxy) await() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.held {
		p.open.Wait()
	}
}

// setHeld has nothing pass, on connections that stay open.
func (p *proxy) setHeld(held bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	p.open.Broadcast()
}

// setCut ends all connections, and those that are tried.
func (p *proxy) setCut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if !cut {
		return
	}
	for c := range p.conns {
		c.(*net.TCPConn).SetLinger(0)
		c.Close()
	}
}
