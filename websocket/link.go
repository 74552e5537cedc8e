package websocket

import (
	"errors"
	"net"
	"sync"
	"time"
)

// errAgain says that nothing more can be read or written now.
var errAgain = errors.New("websocket: try again")

// link is how the bytes of one socket move: the driver. Nothing in it blocks.
// At most one goroutine at a time reads, and at most one writes.
type link interface {
	// read reads into op.buf, or fails with errAgain.
	read(op *readOp) (int, error)
	// awaitRead calls the socket's readable once when there is something to
	// read, also where that is an error.
	awaitRead()
	// write writes op.pieces. With errAgain the rest leaves in the background,
	// and the socket's written is called once with the sum and the outcome.
	write(op *writeOp) (int, error)
	// closeWrite tells the peer that no more bytes come, and reports false
	// where the transport can not say so.
	closeWrite() bool
	close()
}

// readOp and writeOp are the arguments of a transfer, and hold what a driver
// needs for one, so that it allocates nothing.
type readOp struct {
	buf []byte
	n   int
	err error
	raw func(fd uintptr) bool
}

type writeOp struct {
	pieces   [][]byte
	n        int // written so far
	err      error
	wait     bool   // stay in the poller until all has left
	progress func() // called while waiting, whenever bytes have left
	raw      func(fd uintptr) bool
	vector   ioVector
}

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

const (
	streamReadSize  = 4 << 10
	streamWriteSize = 16 << 10
)

// streamLink drives any net.Conn, TLS among them: a goroutine that blocks in
// Read while the socket waits, and one that blocks in Write while bytes leave.
type streamLink struct {
	s    *Socket
	conn net.Conn

	in    []byte // read, not taken yet; the reader's until readable, then the worker's
	inErr error
	hold  []byte
}

func (l *streamLink) awaitRead() {
	go func() {
		if l.hold == nil {
			l.hold = make([]byte, streamReadSize)
		}
		n, err := l.conn.Read(l.hold)
		l.in, l.inErr = l.hold[:n], err
		l.s.readable()
	}()
}

func (l *streamLink) read(op *readOp) (int, error) {
	if len(l.in) > 0 {
		n := copy(op.buf, l.in)
		l.in = l.in[n:]
		return n, nil
	}
	if l.inErr != nil {
		return 0, l.inErr
	}
	return 0, errAgain
}

// write hands the bytes to a goroutine, for a Write of a net.Conn may block.
func (l *streamLink) write(op *writeOp) (int, error) {
	go l.finish(op)
	return 0, errAgain
}

func (l *streamLink) finish(op *writeOp) {
	op.n, op.err = 0, nil
	for _, p := range joined(op.pieces) {
		var n int
		if n, op.err = l.conn.Write(p); op.err != nil {
			break
		}
		op.n += n
		l.s.progress()
	}
	l.s.written(op.n, op.err)
}

// joined copies pieces together where they are small, so that they make one
// TLS record and one packet.
func joined(pieces [][]byte) [][]byte {
	if len(pieces) == 1 || len(pieces[0]) > streamWriteSize {
		return pieces
	}
	var all []byte
	for i, p := range pieces {
		if len(all)+len(p) > streamWriteSize {
			return append([][]byte{all}, pieces[i:]...)
		}
		all = append(all, p...)
	}
	return [][]byte{all}
}

func (l *streamLink) closeWrite() bool {
	c, ok := l.conn.(interface{ CloseWrite() error })
	return ok && c.CloseWrite() == nil
}

func (l *streamLink) close() {
	l.conn.SetDeadline(time.Now()) // a TLS close would wait for a blocked Write
	l.conn.Close()
}
