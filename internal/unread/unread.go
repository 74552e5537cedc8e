// Package unread gives back what has been read of a connection before somebody else gets it.
package unread

import (
	"errors"
	"net"
)

// Conn is a connection some of which has been read already.
type Conn struct {
	net.Conn
	first []byte // to be read first
}

// New returns the connection whose first bytes have been read already.
func New(conn net.Conn, first []byte) *Conn { return &Conn{conn, first} }

func (c *Conn) Read(b []byte) (int, error) {
	if len(c.first) > 0 {
		n := copy(b, c.first)
		c.first = c.first[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// CloseWrite ends what the peer reads.
func (c *Conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}
