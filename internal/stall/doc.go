// Package stall limits how long a peer may keep a server waiting. It has connections, or
// writers where those cannot, for answers that are not read, and bodies that are not
// sent. The deadlines of its connections cost little if a server sets several for each
// request.
package stall

import (
	"net"
	"time"
)

// rate is how many bytes give a peer back a second of what it has kept a write
// waiting for.
const rate = 128

// Earned returns what is left of a limit after a wait in which n bytes went.
func Earned(limit, left, waited time.Duration, n int64) time.Duration {
	back := time.Duration(min(n, int64(limit/time.Second+1)*rate)) * time.Second / rate
	return min(limit, left-waited+back)
}

// Listen returns a listener whose connections are of type *Conn, with the limit for
// the waits of their writes; negative: no limit.
func Listen(ln net.Listener, limit time.Duration) net.Listener {
	return &listener{ln, limit}
}

type listener struct {
	net.Listener
	limit time.Duration
}

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &Conn{Conn: conn, limit: l.limit, left: l.limit}, nil
}
