package nextrushtest

import (
	"net"
	"sync"
)

// heldConn is a connection whose reading can be held. Writing goes on.
type heldConn struct {
	net.Conn

	mu      sync.Mutex // guards what follows
	changed sync.Cond
	held    bool
	closed  bool
}

func newHeldConn(conn net.Conn) *heldConn {
	c := &heldConn{Conn: conn}
	c.changed.L = &c.mu
	return c
}

func (c *heldConn) hold(on bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.held = on
	c.changed.Broadcast()
}

// Read also keeps back what came in while it waited.
func (c *heldConn) Read(p []byte) (int, error) {
	c.wait()
	n, err := c.Conn.Read(p)
	c.wait()
	return n, err
}

func (c *heldConn) wait() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.held && !c.closed {
		c.changed.Wait()
	}
}

// Close ends a Read that is held, too.
func (c *heldConn) Close() error {
	c.mu.Lock()
	c.closed = true
	c.changed.Broadcast()
	c.mu.Unlock()
	return c.Conn.Close()
}
