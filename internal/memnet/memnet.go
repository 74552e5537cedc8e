// Package memnet has a listener in memory, for nextrushtest and for tests. Its
// connections are made of those of net.Pipe, so it works in a synctest bubble.
package memnet

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Listener accepts the connections that its Dial makes. All methods may be
// called from any goroutine.
type Listener struct {
	conns chan net.Conn
	close sync.Once
	done  chan struct{}
}

// Listen returns a listener. In a synctest bubble, call it there.
func Listen() *Listener {
	return &Listener{conns: make(chan net.Conn), done: make(chan struct{})}
}

// Dial waits until a connection is accepted and returns its other end.
func (l *Listener) Dial() (net.Conn, error) {
	return l.DialContext(context.Background(), "", "")
}

// DialContext is Dial with a context; network and address are ignored.
func (l *Listener) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	client, server := pair()
	select {
	case l.conns <- server:
		return client, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for the next connection, or until the listener is closed.
func (l *Listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and Dial with net.ErrClosed. What was accepted stays open.
func (l *Listener) Close() error {
	l.close.Do(func() { close(l.done) })
	return nil
}

// Addr names no address that could be dialled.
func (l *Listener) Addr() net.Addr { return address{} }

type address struct{}

func (address) Network() string { return "memory" }
func (address) String() string  { return "memory" }

// conn is one end of a connection whose directions end apart, as those of TCP do.
type conn struct {
	net.Conn          // to be read
	to       net.Conn // to be written
}

func pair() (a, b net.Conn) {
	aIn, bOut := net.Pipe()
	bIn, aOut := net.Pipe()
	return &conn{aIn, aOut}, &conn{bIn, bOut}
}

func (c *conn) Write(b []byte) (int, error) { return c.to.Write(b) }

// CloseWrite tells the peer that no more comes.
func (c *conn) CloseWrite() error { return c.to.Close() }

func (c *conn) Close() error { return errors.Join(c.Conn.Close(), c.to.Close()) }

func (c *conn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

func (c *conn) SetWriteDeadline(t time.Time) error { return c.to.SetWriteDeadline(t) }
