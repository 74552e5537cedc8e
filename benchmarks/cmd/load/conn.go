package main

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	patience = 10 * time.Second // for a connection, a handshake, a reply
	// sample nonce of RFC 6455 §1.3, and the answer to it
	nonce  = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

// peer is one connection to the server. Not safe from two goroutines at once,
// but one may write while another reads.
type peer struct {
	net.Conn
	buf  []byte
	have int // bytes in buf
}

// dial connects from one of several loopback addresses, so that many thousand
// connections do not use up the ports of one.
func dial(c config, i int) (net.Conn, error) {
	from, to := &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i/20000))}, c.addrs[i%len(c.addrs)]
	d := net.Dialer{Timeout: patience, LocalAddr: from}
	if c.tls {
		return tls.DialWithDialer(&d, "tcp4", to, &tls.Config{InsecureSkipVerify: true})
	}
	return d.Dial("tcp4", to)
}

// upgrade makes a WebSocket (RFC 6455 §4.1).
func upgrade(c config, i int) (*peer, error) {
	conn, err := dial(c, i)
	if err != nil {
		return nil, err
	}
	p := &peer{Conn: conn}
	if err := p.handshake(c); err != nil {
		conn.Close()
		return nil, err
	}
	return p, nil
}

func (p *peer) handshake(c config) error {
	p.SetDeadline(time.Now().Add(patience))
	path, extension := c.path, ""
	if c.deflate {
		extension = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; client_no_context_takeover\r\n"
	}
	switch {
	case c.socketIO:
		path = socketIOPath
	case c.centrifugo:
		path = centrifugoPath
	}
	_, err := fmt.Fprintf(p, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n%s\r\n", path, c.addrs[0], nonce, extension)
	if err != nil {
		return err
	}
	br := bufio.NewReaderSize(p.Conn, 1024)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusSwitchingProtocols || res.Header.Get("Sec-WebSocket-Accept") != accept {
		return fmt.Errorf("handshake answered with %s", res.Status)
	}
	if c.deflate && !strings.Contains(res.Header.Get("Sec-WebSocket-Extensions"), "server_no_context_takeover") {
		return fmt.Errorf("server answers with other extensions: %q", res.Header.Get("Sec-WebSocket-Extensions"))
	}
	early, _ := br.Peek(br.Buffered())
	switch {
	case c.socketIO:
		return p.joinSocketIO(early)
	case c.centrifugo:
		return p.joinCentrifugo(cmp.Or(strings.TrimPrefix(c.path, "/"), "all"))
	}
	if br.Buffered() > 0 {
		return errors.New("server sends before the load")
	}
	return nil
}

// read waits for bytes and counts the messages in them, which must all be m.
func (p *peer) read(m message) (int, error) {
	n, err := p.Read(p.buf[p.have:])
	p.have += n
	if err != nil {
		return 0, err
	}
	return p.take(m)
}

// next waits for one frame; buf must have room for it.
func (p *peer) next() (frame, error) {
	for {
		f, size, err := parse(p.buf[:p.have])
		if err != nil {
			return f, err
		}
		if size > 0 {
			f.payload = bytes.Clone(f.payload)
			p.have = copy(p.buf, p.buf[size:p.have])
			return f, nil
		}
		n, err := p.Read(p.buf[p.have:])
		p.have += n
		if err != nil {
			return f, err
		}
	}
}

// take removes complete frames from the buffer and counts them, except pings, which it
// answers.
func (p *peer) take(m message) (int, error) {
	count, used := 0, 0
	for {
		f, size, err := parse(p.buf[used:p.have])
		if err != nil {
			return count, err
		}
		if size == 0 {
			break
		}
		used += size
		if f.first == fin|opPing {
			p.Write(clientFrame(fin|opPong, f.payload)) // an error shows in the next read
			continue
		}
		n, ok := m.in(f)
		if !ok {
			return count, fmt.Errorf("%w: first byte %#x, %d bytes", errFrame, f.first, len(f.payload))
		}
		count += n
	}
	p.have = copy(p.buf, p.buf[used:p.have])
	return count, nil
}

// room makes the buffer large enough for n messages.
func (p *peer) room(n int, m message) {
	p.buf = make([]byte, max(4096, n*(len(m.text)+m.wrapped+14)))
}

// alive reports whether the server has kept the connection.
func (p *peer) alive() error {
	conn := p.Conn
	if t, ok := conn.(*tls.Conn); ok {
		conn = t.NetConn()
	}
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		return err
	}
	n, peekErr := 0, error(nil)
	err = raw.Control(func(fd uintptr) {
		n, _, peekErr = syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	})
	if peekErr == nil && n == 0 {
		peekErr = errors.New("server closed a connection that should have stayed open")
	}
	if peekErr == syscall.EAGAIN {
		peekErr = nil
	}
	return errors.Join(err, peekErr)
}

// connect upgrades all connections, a few at a time: a burst would measure the
// listen queue.
func connect(c config) ([]*peer, error) {
	peers := make([]*peer, c.conns)
	err := spread(c.conns, 8, func(i int) (err error) {
		peers[i], err = upgrade(c, i)
		return err
	})
	if err != nil {
		closeAll(peers)
	}
	return peers, err
}

// spread runs f(0) to f(n-1) in some goroutines and returns the first error.
func spread(n, workers int, f func(int) error) error {
	errs := make([]error, workers)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += workers {
				errs[w] = f(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// closeAll resets the connections, so that no port waits for them.
func closeAll(peers []*peer) {
	for _, p := range peers {
		if p == nil {
			continue
		}
		if t, ok := p.Conn.(*net.TCPConn); ok {
			t.SetLinger(0)
		}
		p.Close()
	}
}

func repeat(m message, n int) []byte { return bytes.Repeat(m.sent, n) }
