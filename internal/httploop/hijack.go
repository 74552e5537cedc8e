package httploop

import (
	"bufio"
	"net"
	"slices"

	"github.com/nextrush/nextrush/internal/unread"
)

// Hijack gives the connection away, with what the client has sent behind the request.
func (x *exchange) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	x.mu.Lock()
	defer x.unlock()
	if err := x.mayHijack(); err != nil {
		return nil, nil, err
	}
	x.leave() // nobody looks after a handler whose connection is not the loop's
	nc, early, err := x.conn.detach()
	if err != nil {
		return nil, nil, err
	}
	x.hijacked = true
	x.ctx.giveAway()
	return nc, buffered(nc, early), nil
}

// settleAll sends what has been written, and waits until it has left.
func (x *exchange) settleAll() error {
	if x.status != 0 && !x.sent {
		if err := x.sendHead(nil, false); err != nil {
			return err
		}
	}
	x.conn.release()
	for {
		full := x.conn.waiting()
		if full == nil {
			return x.conn.writeError()
		}
		x.leave()
		if err := x.conn.awaitWrite(full); err != nil {
			return err
		}
	}
}

// waiting returns a channel if the client has to take something first.
func (c *conn) waiting() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.out.waits {
		return nil
	}
	return c.wakesLocked().write
}

func (c *conn) writeError() error {
	if !c.out.broken.Load() {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.err
}

// detach makes the connection one of package net.
func (c *conn) detach() (nc net.Conn, early []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	early = slices.Clone(c.in)
	nc, err = c.detachLocked()
	return nc, early, err
}

func (c *conn) detachLocked() (net.Conn, error) {
	if c.phase == closed {
		return nil, net.ErrClosed
	}
	nc, err := c.desc.Detach()
	if err != nil {
		c.closeLocked(err)
		return nil, err
	}
	c.in = nil
	c.leaveLocked()
	return nc, nil
}

// buffered has early read first.
func buffered(nc net.Conn, early []byte) *bufio.ReadWriter {
	r := bufio.NewReaderSize(unread.New(nc, early), max(4096, len(early)))
	r.Peek(len(early))
	return bufio.NewReadWriter(r, bufio.NewWriter(nc))
}

// localAddr is the address that the client has connected to, or, once the connection has
// gone, that of the listener.
func (c *conn) localAddr() net.Addr {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.phase != closed {
		if addr := c.desc.LocalAddr(); addr != nil {
			return addr
		}
	}
	return c.from.ln.Addr()
}
