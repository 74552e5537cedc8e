package websocket

import (
	"net"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/poll"
)

// loopLink drives a descriptor in the engine's poller. Events are edges: after
// errAgain, or a read of less than was asked for, the next one comes by itself.
type loopLink struct {
	s     *Socket
	conn  poll.Conn
	op    *writeOp      // the write that waits
	state atomic.Uint32 // of writing: 0, linkEdge or linkWaits
	ended atomic.Bool   // the peer sends no more
}

const (
	linkEdge  = 1 + iota // the descriptor has become writable since the last write
	linkWaits            // op waits for that
)

// newLoopLink takes over conn, and reports false where it can not be polled.
func newLoopLink(s *Socket, conn net.Conn) (link, bool) {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
	default:
		return nil, false
	}
	l := &loopLink{s: s}
	if s.srv.engine.poller.Take(conn, &l.conn, l) != nil {
		return nil, false
	}
	return l, true
}

// Ready is called by the goroutine that polls.
func (l *loopLink) Ready(t *poll.Turn, e poll.Event) {
	if e&poll.Writable != 0 && l.state.Swap(linkEdge) == linkWaits {
		l.goOn()
	}
	if e&poll.Closed != 0 {
		l.ended.Store(true)
	}
	if e&(poll.Readable|poll.Closed) != 0 {
		l.s.readableHere(t.Local.(*worker))
	}
}

func (l *loopLink) awaitRead() {}

func (l *loopLink) read(buf []byte) (n int, err error) {
	n, err = l.conn.Read(buf)
	for err == nil && n < len(buf) && l.ended.Load() { // no more events: find the end now
		var more int
		more, err = l.conn.Read(buf[n:])
		n += more
	}
	return n, err
}

func (l *loopLink) write(op *writeOp) (int, error) {
	op.n = 0
	return l.push(op)
}

func (l *loopLink) try(op *writeOp) (int, error) { return l.conn.Write(&op.vector, op.pieces, 0) }

// push writes until all has left or the descriptor takes no more. In that case
// op belongs to the next event from then on.
func (l *loopLink) push(op *writeOp) (int, error) {
	for {
		l.state.Store(0)
		n, err := l.conn.Write(&op.vector, op.pieces, op.n)
		op.n += n
		n = op.n
		if err != errAgain {
			return n, err
		}
		l.op = op
		if l.state.CompareAndSwap(0, linkWaits) {
			return n, errAgain
		}
	}
}

// goOn writes more of what waits.
func (l *loopLink) goOn() {
	op := l.op
	before := op.n
	n, err := l.push(op)
	if n > before {
		l.s.progress()
	}
	if err != errAgain {
		l.s.written(n, err)
	}
}

func (l *loopLink) closeWrite() bool { return l.conn.CloseWrite() == nil }

func (l *loopLink) close() {
	l.conn.Close()
	if l.state.Swap(linkEdge) == linkWaits {
		l.s.written(l.op.n, net.ErrClosed)
	}
}
