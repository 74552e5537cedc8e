package websocket

import (
	"net"
	"sync"
	"time"

	"github.com/nextrush/nextrush/internal/poll"
)

// errAgain says that nothing more can be read or written now.
var errAgain = poll.ErrAgain

// link is how the bytes of one socket move: the driver. Nothing in it blocks.
// At most one goroutine at a time reads, and at most one writes.
type link interface {
	// read reads into buf, or fails with errAgain.
	read(buf []byte) (int, error)
	// awaitRead calls the socket's readable once when there is something to
	// read, also where that is an error.
	awaitRead()
	// write writes op.pieces. With errAgain the rest leaves in the background,
	// and the socket's written is called once with the sum and the outcome.
	write(op *writeOp) (int, error)
	// try writes op.pieces as far as they leave at once.
	try(op *writeOp) (int, error)
	// closeWrite tells the peer that no more bytes come, and reports false
	// where the transport can not say so.
	closeWrite() bool
	// close closes the connection; writing tells that a write is under way.
	close(writing bool)
}

// writeOp is what to write, and what a driver needs for it, so that it
// allocates nothing.
type writeOp struct {
	pieces [][]byte
	n      int // bytes written so far
	vector poll.Vector
}

// newLink picks the driver for conn.
func newLink(s *Socket, conn net.Conn) link {
	if s.client || s.srv.opts.Driver == DriverPortable {
		return &streamLink{s: s, conn: conn}
	}
	if l, ok := newLoopLink(s, conn); ok {
		return l
	}
	return &streamLink{s: s, conn: conn}
}

const readBufferSize = 68 << 10 // bytes of one read: a message of 64 KiB and its header fit

var readBuffers = sync.Pool{New: func() any {
	b := make([]byte, readBufferSize)
	return &b
}}

const (
	streamWaitSize  = 512
	streamReadSize  = 4 << 10 // while more comes than that
	streamWriteSize = 16 << 10
	streamPartSize  = 64 << 10 // bytes after which a long write shows its progress
)

// streamLink drives any net.Conn, TLS among them: a goroutine that blocks in
// Read while the socket waits, and one that blocks in Write while bytes leave.
type streamLink struct {
	s    *Socket
	conn net.Conn

	in    []byte // read, not taken yet; the reader's until readable, then the worker's
	inErr error
	hold  []byte
	grown bool // hold has become larger by the last read
}

func (l *streamLink) awaitRead() {
	go func() {
		if l.hold == nil {
			l.hold = make([]byte, streamWaitSize)
		}
		n, err := l.conn.Read(l.hold)
		l.in, l.inErr = l.hold[:n], err
		l.fit(n)
		l.s.readable()
	}()
}

// fit chooses the size of the next read by what the last one has found. One that
// goes on with what did not fit says nothing.
func (l *streamLink) fit(n int) {
	size, goesOn := len(l.hold), l.grown
	l.grown = n == size && size < streamReadSize
	switch {
	case l.grown:
		l.hold = make([]byte, streamReadSize)
	case n < streamWaitSize && size > streamWaitSize && !goesOn:
		l.hold = nil
	}
}

func (l *streamLink) read(buf []byte) (int, error) {
	if len(l.in) > 0 {
		n := copy(buf, l.in)
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

func (l *streamLink) try(*writeOp) (int, error) { return 0, errAgain }

func (l *streamLink) finish(op *writeOp) {
	sent := 0
	for _, p := range joined(op.pieces) {
		for len(p) > 0 {
			n, err := l.conn.Write(p[:min(len(p), streamPartSize)])
			l.s.progress()
			sent += n
			if err != nil {
				l.s.written(sent, err)
				return
			}
			p = p[n:]
		}
	}
	l.s.written(sent, nil)
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

func (l *streamLink) close(bool) {
	l.conn.SetDeadline(time.Now()) // a TLS close would wait for a blocked Write
	l.conn.Close()
}
