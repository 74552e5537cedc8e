package websocket

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/poll"
)

// NewListener wraps the listener of a TLS server of package net/http, so that a
// wss socket needs no goroutine while nothing arrives (see DriverAuto):
//
//	server.ServeTLS(websocket.NewListener(ln), "cert.pem", "key.pem")
//
// It changes nothing else. nextrush.App does it by itself.
func NewListener(ln net.Listener) net.Listener { return &listener{ln} }

type listener struct{ net.Listener }

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &transport{Conn: conn}, nil
}

// transport is what a tls.Conn of a server reads from and writes to: the TCP
// connection, and after the upgrade a tlsLink, with taken in the other's place.
// That never blocks: crypto/tls keeps its state where a read fails with a
// temporary net.Error.
type transport struct {
	net.Conn
	link atomic.Pointer[tlsLink]
}

func (t *transport) Read(b []byte) (int, error) {
	if l := t.link.Load(); l != nil {
		return l.receive(b)
	}
	return t.Conn.Read(b)
}

func (t *transport) Write(b []byte) (int, error) {
	if l := t.link.Load(); l != nil {
		return l.collect(b)
	}
	return t.Conn.Write(b)
}

// taken stands for a connection whose descriptor has gone to the poller.
var taken = closedPipe()

func closedPipe() net.Conn {
	p, _ := net.Pipe()
	p.Close()
	return p
}

// errLater is errAgain as crypto/tls has to see it.
var errLater net.Error = later{}

type later struct{}

func (later) Error() string   { return "websocket: try again" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }

// tlsLink drives TLS on a descriptor in the engine's poller.
type tlsLink struct {
	loopLink
	tls    *tls.Conn
	cipher *cipherOp // what is being written; nil: nothing

	mu      sync.Mutex // guards the fields below
	sealed  *[]byte    // records that are not being written yet; nil: none
	sealing bool       // write makes them
}

// maxAnswers is how many bytes of answers to key updates may wait for a message.
const maxAnswers = 4 << 10

var errKeyUpdates = errors.New("websocket: too many TLS key updates")

// cipherOp is a write of records.
type cipherOp struct {
	writeOp
	records *[]byte
	plain   int // bytes of plaintext in them
}

var cipherOps = sync.Pool{New: func() any { return new(cipherOp) }}

func (l *tlsLink) Ready(t *poll.Turn, e poll.Event) { l.ready(t, e, l.finish) }

// receive gives crypto/tls what the descriptor has.
func (l *tlsLink) receive(b []byte) (int, error) {
	n, err := l.conn.Read(b)
	if err == errAgain {
		err = errLater
	}
	return n, err
}

// collect takes records from crypto/tls. Those that answer a key update (RFC
// 8446 §4.6.3) leave with the next message, which fails if they were too many.
func (l *tlsLink) collect(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sealing && l.sealed != nil && len(*l.sealed)+len(b) > maxAnswers {
		return 0, errKeyUpdates
	}
	if l.sealed == nil {
		l.sealed = borrowBuffer()
		*l.sealed = (*l.sealed)[:0]
	}
	*l.sealed = append(*l.sealed, b...)
	return len(b), nil
}

// read reads records until buf is full or the descriptor has no more.
func (l *tlsLink) read(buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = l.tls.Read(buf[n:])
		n += more
	}
	if errors.Is(err, errLater) {
		err = nil
		if n == 0 {
			err = errAgain
		}
	}
	return n, err
}

func (l *tlsLink) write(op *writeOp) (int, error) {
	l.mu.Lock()
	l.sealing = true
	l.mu.Unlock()
	plain := 0
	for _, p := range joined(op.pieces) {
		n, err := l.tls.Write(p)
		plain += n
		if err != nil {
			return 0, err
		}
	}
	l.take(plain)
	_, err := l.push(&l.cipher.writeOp)
	if err == errAgain {
		return 0, err
	}
	return l.settle(err), err
}

func (l *tlsLink) try(*writeOp) (int, error) { return 0, errAgain }

// take moves the records to cipher.
func (l *tlsLink) take(plain int) {
	c := cipherOps.Get().(*cipherOp)
	l.mu.Lock()
	c.records, l.sealed, l.sealing = l.sealed, nil, false
	l.mu.Unlock()
	c.pieces = append(c.pieces[:0], *c.records)
	c.plain = plain
	l.cipher = c
}

// settle ends a write and returns how much plaintext it has written.
func (l *tlsLink) settle(err error) int {
	c := l.cipher
	l.cipher = nil
	releaseBuffer(c.records)
	plain := c.plain
	c.records, c.pieces[0], c.n = nil, nil, 0
	cipherOps.Put(c)
	if err != nil {
		return 0
	}
	return plain
}

// finish is called when a write that had to wait has ended.
func (l *tlsLink) finish(_ int, err error) { l.s.written(l.settle(err), err) }

// closeWrite sends close_notify (RFC 8446 §6.1).
func (l *tlsLink) closeWrite() bool {
	l.notify()
	return l.loopLink.closeWrite()
}

func (l *tlsLink) notify() {
	if l.tls.CloseWrite() != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sealed != nil {
		l.conn.Write(&poll.Vector{}, [][]byte{*l.sealed}, 0)
		releaseBuffer(l.sealed)
		l.sealed = nil
	}
}

// close sends close_notify as well, unless a write under way may have left a
// part of a record.
func (l *tlsLink) close(writing bool) {
	if l.state.Swap(linkEdge) == linkWaits {
		l.conn.Close()
		l.finish(0, net.ErrClosed)
		return
	}
	if !writing {
		l.notify()
	}
	l.conn.Close()
}
