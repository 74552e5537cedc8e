//go:build unix

package websocket

import (
	"io"
	"net"
	"syscall"
)

// newLink picks the driver for conn: plain TCP and Unix sockets are read and
// written without blocking, everything else through its net.Conn.
func newLink(s *Socket, conn net.Conn) link {
	switch c := conn.(type) {
	case *net.TCPConn:
		return newFileLink(s, c)
	case *net.UnixConn:
		return newFileLink(s, c)
	}
	return &streamLink{s: s, conn: conn}
}

type fileConn interface {
	net.Conn
	syscall.Conn
	CloseWrite() error
}

// fileLink drives a descriptor. While the socket waits, a goroutine with the
// smallest stack and no buffer waits in the runtime's poller; when bytes are
// there it hands the socket to a worker and ends.
type fileLink struct {
	s     *Socket
	conn  fileConn
	raw   syscall.RawConn
	asked bool // the wait has looked at the descriptor
	ready func(fd uintptr) bool
}

func newFileLink(s *Socket, conn fileConn) link {
	raw, err := conn.SyscallConn()
	if err != nil {
		return &streamLink{s: s, conn: conn}
	}
	l := &fileLink{s: s, conn: conn, raw: raw}
	l.ready = l.isReady
	return l
}

func (l *fileLink) awaitRead() { go l.wait() }

func (l *fileLink) wait() {
	l.block()
	l.s.readable()
}

// block waits until there is something to read. An error shows again in the
// read that follows.
func (l *fileLink) block() {
	l.asked = false
	l.raw.Read(l.ready)
}

// isReady is called before the wait and after it. Readiness from before the
// wait was forgotten by the poller, so the first call has to look.
func (l *fileLink) isReady(fd uintptr) bool {
	if l.asked {
		return true
	}
	l.asked = true
	return !wouldBlock(int(fd))
}

func wouldBlock(fd int) bool {
	var b [1]byte
	for {
		_, _, err := syscall.Recvfrom(fd, b[:], syscall.MSG_PEEK)
		if err != syscall.EINTR {
			return err == syscall.EAGAIN
		}
	}
}

func (l *fileLink) read(op *readOp) (int, error) {
	if op.raw == nil {
		op.raw = op.readFD
	}
	if err := l.raw.Read(op.raw); err != nil {
		return 0, err
	}
	return op.n, op.err
}

func (op *readOp) readFD(fd uintptr) bool {
	for {
		op.n, op.err = syscall.Read(int(fd), op.buf)
		if op.err != syscall.EINTR {
			break
		}
	}
	switch {
	case op.err == syscall.EAGAIN:
		op.n, op.err = 0, errAgain
	case op.err != nil:
		op.n = 0
	case op.n == 0:
		op.err = io.EOF
	}
	return true
}

func (l *fileLink) write(op *writeOp) (int, error) {
	if op.raw == nil {
		op.raw = op.writeFD
	}
	op.n, op.err, op.wait = 0, nil, false
	if err := l.raw.Write(op.raw); err != nil {
		return 0, err
	}
	n, err := op.n, op.err
	if err == errAgain {
		go l.finish(op) // op is finish's from here on
	}
	return n, err
}

// finish writes the rest, in the runtime's poller while the peer takes nothing.
func (l *fileLink) finish(op *writeOp) {
	op.err, op.wait = nil, true
	op.progress = l.s.progress
	err := l.raw.Write(op.raw)
	if err == nil {
		err = op.err
	}
	l.s.written(op.n, err)
}

// writeFD writes until all has left, the descriptor takes no more, or it
// fails. It answers false where the poller is to wait and call again.
func (op *writeOp) writeFD(fd uintptr) bool {
	for size := total(op.pieces); op.n < size; {
		n, err := op.vector.write(int(fd), op.pieces, op.n)
		switch {
		case err == syscall.EINTR:
			continue
		case err == syscall.EAGAIN && op.wait:
			return false
		case err == syscall.EAGAIN:
			op.err = errAgain
			return true
		case err != nil:
			op.err = err
			return true
		}
		op.n += n
		if op.wait {
			op.progress()
		}
	}
	return true
}

func total(pieces [][]byte) (n int) {
	for _, p := range pieces {
		n += len(p)
	}
	return n
}

func (l *fileLink) closeWrite() bool { return l.conn.CloseWrite() == nil }

func (l *fileLink) close() { l.conn.Close() }
