package websocket

import (
	"crypto/tls"
	"net"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/loop"
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
	poller := s.srv.loop.Poller()
	switch conn := hijacked(conn).(type) {
	case *net.TCPConn, *net.UnixConn:
		l := &loopLink{s: s}
		return l, poller.Take(conn, &l.conn, l) == nil
	case *tls.Conn:
		if t, ok := conn.NetConn().(*transport); ok {
			l := &tlsLink{loopLink: loopLink{s: s}, tls: conn}
			tcp := hijacked(t.Conn)
			t.Conn = taken
			t.link.Store(l)
			s.mu.Lock()
			s.pending |= workRead // of what crypto/tls may have read already
			s.mu.Unlock()
			if poller.Take(tcp, &l.conn, l) == nil {
				return l, true
			}
			t.Conn = tcp
			t.link.Store(nil)
		}
	}
	return nil, false
}

// hijacked is the connection under one that its server keeps for requests alone.
func hijacked(conn net.Conn) net.Conn {
	if outer, ok := conn.(interface{ Hijacked() net.Conn }); ok {
		return outer.Hijacked()
	}
	return conn
}

// Ready is called by the goroutine that polls.
func (l *loopLink) Ready(t *poll.Turn, e poll.Event) { l.ready(t, e, l.s.written) }

func (l *loopLink) ready(t *poll.Turn, e poll.Event, written func(int, error)) {
	if e&poll.Writable != 0 && l.state.Swap(linkEdge) == linkWaits {
		l.goOn(written)
	}
	if e&poll.Closed != 0 {
		l.ended.Store(true)
	}
	if e&poll.Failed != 0 {
		l.s.failedUnread()
	}
	if e&(poll.Readable|poll.Closed) != 0 {
		l.s.readableHere(t.Local.(*loop.Worker))
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
func (l *loopLink) goOn(written func(int, error)) {
	op := l.op
	before := op.n
	n, err := l.push(op)
	if n > before {
		l.s.progress()
	}
	if err != errAgain {
		written(n, err)
	}
}

func (l *loopLink) closeWrite() bool { return l.conn.CloseWrite() == nil }

func (l *loopLink) close(bool) {
	l.conn.Close()
	if l.state.Swap(linkEdge) == linkWaits {
		l.s.written(l.op.n, net.ErrClosed)
	}
}
