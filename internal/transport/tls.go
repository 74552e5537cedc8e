package transport

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
)

// Listen wraps the listener of a TLS server, so that its connections can be polled
// once their handshake is over.
func Listen(ln net.Listener) net.Listener { return &listener{ln} }

type listener struct{ net.Listener }

func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &switched{Conn: conn}, nil
}

// switched is what a tls.Conn of a server reads from and writes to: the TCP
// connection, and once that is polled a polledTLS, with taken instead of the other.
// That never blocks: crypto/tls keeps its state if a read fails with a
// temporary net.Error.
type switched struct {
	net.Conn
	polled atomic.Pointer[polledTLS]
}

func (s *switched) Read(b []byte) (int, error) {
	if p := s.polled.Load(); p != nil {
		return p.receive(b)
	}
	return s.Conn.Read(b)
}

func (s *switched) Write(b []byte) (int, error) {
	if p := s.polled.Load(); p != nil {
		return p.collect(b)
	}
	return s.Conn.Write(b)
}

// poll takes the descriptor over, and returns nil if it cannot be polled.
func (s *switched) poll(l *loop.Loop, conn *tls.Conn, owner Owner) Conn {
	p := &polledTLS{Polled: Polled{owner: owner}, tls: conn}
	tcp := hijacked(s.Conn)
	s.Conn = taken
	s.polled.Store(p)
	owner.Readable(nil) // crypto/tls may have read something already
	if l.Poller().Take(tcp, &p.conn, p) != nil {
		s.Conn = tcp
		s.polled.Store(nil)
		return nil
	}
	return p
}

// taken stands for a connection whose descriptor has gone to the poller.
var taken = closedPipe()

func closedPipe() net.Conn {
	p, _ := net.Pipe()
	p.Close()
	return p
}

// errLater is ErrAgain as crypto/tls has to see it.
var errLater net.Error = later{}

type later struct{}

func (later) Error() string   { return "transport: try again" }
func (later) Timeout() bool   { return true }
func (later) Temporary() bool { return true }

// polledTLS drives TLS on a descriptor in the loop's poller.
type polledTLS struct {
	Polled
	tls    *tls.Conn
	cipher *cipherOp // what is being written; nil: nothing

	mu      sync.Mutex // guards the fields below
	sealed  *[]byte    // records that are not being written yet; nil: none
	sealing bool       // write makes them
}

// maxAnswers is how many bytes of answers to key updates may wait for a message.
const maxAnswers = 4 << 10

var errKeyUpdates = errors.New("tls: too many key updates")

// cipherOp is a write of records.
type cipherOp struct {
	Op
	records *[]byte
	plain   int // bytes of plaintext in them
}

var cipherOps = sync.Pool{New: func() any { return new(cipherOp) }}

func (p *polledTLS) Ready(t *poll.Turn, e poll.Event) {
	if p.goesOn(e) {
		if _, err := p.goOn(&p.cipher.Op); err != ErrAgain {
			p.owner.Written(p.settle(err), err)
		}
	}
	p.tell(t, e)
}

// receive gives crypto/tls what the descriptor has.
func (p *polledTLS) receive(b []byte) (int, error) {
	n, err := p.conn.Read(b)
	if err == ErrAgain {
		err = errLater
	}
	return n, err
}

// collect takes records from crypto/tls. Those that answer a key update (RFC
// 8446 §4.6.3) leave with the next message, which fails if they were too many.
func (p *polledTLS) collect(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.sealing && p.sealed != nil && len(*p.sealed)+len(b) > maxAnswers {
		return 0, errKeyUpdates
	}
	if p.sealed == nil {
		p.sealed = buffer.Borrow()
		*p.sealed = (*p.sealed)[:0]
	}
	*p.sealed = append(*p.sealed, b...)
	return len(b), nil
}

// Read reads records until buf is full or the descriptor has no more.
func (p *polledTLS) Read(buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var more int
		more, err = p.tls.Read(buf[n:])
		n += more
	}
	if errors.Is(err, errLater) {
		err = nil
		if n == 0 {
			err = ErrAgain
		}
	}
	return n, err
}

func (p *polledTLS) Write(op *Op) (int, error) {
	p.mu.Lock()
	p.sealing = true
	p.mu.Unlock()
	plain := 0
	for _, b := range joined(op.Pieces) {
		n, err := p.tls.Write(b)
		plain += n
		if err != nil {
			return 0, err
		}
	}
	p.take(plain)
	_, err := p.push(&p.cipher.Op)
	if err == ErrAgain {
		return 0, err
	}
	return p.settle(err), err
}

func (p *polledTLS) Try(*Op) (int, error) { return 0, ErrAgain }

func (p *polledTLS) Farewell(b []byte) {
	if _, err := p.tls.Write(b); err == nil {
		p.take(0)
		p.Polled.Try(&p.cipher.Op)
		p.settle(nil)
	}
}

// take moves the records to cipher.
func (p *polledTLS) take(plain int) {
	c := cipherOps.Get().(*cipherOp)
	p.mu.Lock()
	c.records, p.sealed, p.sealing = p.sealed, nil, false
	p.mu.Unlock()
	c.Pieces = append(c.Pieces[:0], *c.records)
	c.plain = plain
	p.cipher = c
}

// settle ends a write and returns how much plaintext it has written.
func (p *polledTLS) settle(err error) int {
	c := p.cipher
	p.cipher = nil
	buffer.Release(c.records)
	plain := c.plain
	c.records, c.Pieces[0], c.n = nil, nil, 0
	cipherOps.Put(c)
	if err != nil {
		return 0
	}
	return plain
}

// CloseWrite sends close_notify (RFC 8446 §6.1).
func (p *polledTLS) CloseWrite() {
	p.notify()
	p.Polled.CloseWrite()
}

func (p *polledTLS) notify() {
	if p.tls.CloseWrite() != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sealed != nil {
		p.conn.Write(&poll.Vector{}, [][]byte{*p.sealed}, 0)
		buffer.Release(p.sealed)
		p.sealed = nil
	}
}

// Close sends close_notify as well, unless a write under way may have left a
// part of a record.
func (p *polledTLS) Close(writing bool) {
	if p.state.Swap(edge) == waits {
		p.conn.Close()
		p.owner.Written(p.settle(net.ErrClosed), net.ErrClosed)
		return
	}
	if !writing {
		p.notify()
	}
	p.conn.Close()
}
