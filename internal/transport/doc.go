// Package transport moves the bytes of one connection without blocking. It knows
// nothing of what they mean.
//
// There are three ways: a TCP or Unix connection whose descriptor the loop polls
// ([Polled]), TLS on one (see [Listen]), and a pair of goroutines for any other
// net.Conn ([Stream]). [New] chooses.
package transport

import (
	"crypto/tls"
	"net"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
)

// ErrAgain says that nothing more can be read or written now.
var ErrAgain = poll.ErrAgain

// Conn is how the bytes of a connection move. At most one goroutine at a time
// reads, and at most one writes.
type Conn interface {
	// Read reads into buf, or fails with ErrAgain.
	Read(buf []byte) (int, error)
	// AwaitRead calls the owner's Readable once when there is something to read, or
	// an error to find.
	AwaitRead()
	// Write writes op.Pieces. If it fails with ErrAgain, the rest leaves in the
	// background, and the owner's Written is called once with the sum and the outcome.
	Write(op *Op) (int, error)
	// Try writes op.Pieces as far as they leave at once.
	Try(op *Op) (int, error)
	// Farewell writes b as far as it leaves at once, or soon. No write is under way, and
	// Close follows.
	Farewell(b []byte)
	// CloseWrite tells the peer that no more bytes come, if the connection can.
	CloseWrite()
	// Close closes the connection. writing tells that a write is under way.
	Close(writing bool)
}

// Owner is what a Conn moves bytes for. It is called from any goroutine.
type Owner interface {
	// Readable tells that there is something to read. w is the worker of the
	// goroutine that calls, if it polls and others wait for it; otherwise nil.
	Readable(w *loop.Worker)
	// Waiting is the Op of the write in the background.
	Waiting() *Op
	// Progress tells that bytes of a write in the background have left.
	Progress()
	// Written tells that a write in the background has ended.
	Written(n int, err error)
	// Failed tells that the connection has failed; reading would show it too.
	Failed()
}

// Op is what to write, and what a Conn needs for it, so that it allocates nothing.
type Op struct {
	Pieces [][]byte

	n      int // bytes written so far
	vector poll.Vector
}

// New makes a Conn of conn. It polls the descriptor if poll is true and that is
// possible. The owner may be called before New returns.
func New(l *loop.Loop, conn net.Conn, owner Owner, poll bool) Conn {
	if poll {
		if c := newPolled(l, conn, owner); c != nil {
			return c
		}
	}
	return &Stream{owner: owner, conn: conn}
}

// newPolled takes conn over, and returns nil if it cannot be polled.
func newPolled(l *loop.Loop, conn net.Conn, owner Owner) Conn {
	switch conn := hijacked(conn).(type) {
	case *net.TCPConn, *net.UnixConn:
		p := &Polled{owner: owner}
		if l.Poller().Take(conn, &p.conn, p) == nil {
			return p
		}
	case interface {
		Move(p *poll.Poller, to *poll.Conn, owner poll.Owner) error
	}: // that of a server that polls, too
		p := &Polled{owner: owner}
		if conn.Move(l.Poller(), &p.conn, p) == nil {
			return p
		}
	case *tls.Conn:
		if s, ok := conn.NetConn().(*switched); ok {
			return s.poll(l, conn, owner)
		}
	}
	return nil
}

// hijacked is the connection under one that its server keeps for requests alone.
func hijacked(conn net.Conn) net.Conn {
	if outer, ok := conn.(interface{ Hijacked() net.Conn }); ok {
		return outer.Hijacked()
	}
	return conn
}
