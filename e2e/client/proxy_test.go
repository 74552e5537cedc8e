package client

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between a browser and a server, and breaks connections in the ways in which
// networks do. The offline switch of developer tools leaves open WebSockets alone.
type proxy struct {
	addr, target string

	mu    sync.Mutex // guards the rest
	ln    net.Listener
	links []*link
}

// link is one connection through the proxy.
type link struct {
	browser, server *net.TCPConn
	up, down        atomic.Bool // what comes is dropped on that way, its end too
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	ln := listen(t)
	p := &proxy{addr: ln.Addr().String(), target: target}
	p.acceptFrom(ln)
	t.Cleanup(p.refuse)
	return p
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// accept takes connections again after refuse.
func (p *proxy) accept(t *testing.T) {
	ln, err := net.Listen("tcp", p.addr)
	if err != nil {
		t.Error(err)
		return
	}
	p.acceptFrom(ln)
}

func (p *proxy) acceptFrom(ln net.Listener) {
	p.mu.Lock()
	p.ln = ln
	p.mu.Unlock()
	go func() {
		for {
			browser, err := ln.Accept()
			if err != nil {
				return
			}
			p.connect(browser.(*net.TCPConn))
		}
	}()
}

func (p *proxy) connect(browser *net.TCPConn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		browser.Close()
		return
	}
	l := &link{browser: browser, server: server.(*net.TCPConn)}
	p.mu.Lock()
	p.links = append(p.links, l)
	p.mu.Unlock()
	go pump(l.server, l.browser, &l.up)
	go pump(l.browser, l.server, &l.down)
}

func pump(to, from *net.TCPConn, stalled *atomic.Bool) {
	buf := make([]byte, 16<<10)
	for {
		n, err := from.Read(buf)
		if stalled.Load() {
			if err != nil {
				return
			}
			continue
		}
		to.Write(buf[:n])
		if err == io.EOF {
			to.CloseWrite()
		} else if err != nil {
			to.Close()
		}
		if err != nil {
			return
		}
	}
}

// each does something to the connections that there are. Later ones work.
func (p *proxy) each(f func(*link)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.links {
		f(l)
	}
	p.links = nil
}

func (p *proxy) fin() {
	p.each(func(l *link) {
		l.browser.Close()
		l.server.Close()
	})
}

func (p *proxy) rst() {
	p.each(func(l *link) {
		for _, c := range []*net.TCPConn{l.browser, l.server} {
			c.SetLinger(0)
			c.Close()
		}
	})
}

// stall has nothing arrive any more, and nobody told of it.
func (p *proxy) stall(up, down bool) {
	p.each(func(l *link) {
		l.up.Store(up)
		l.down.Store(down)
	})
}

// refuse takes no connections, and resets those that there are.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.ln.Close()
	p.mu.Unlock()
	p.rst()
}
