package transport

import (
	"net"
	"sync/atomic"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/poll"
)

// Polled drives a descriptor in the loop's poller. Events are edges: after
// ErrAgain, or a read of less than was asked for, the next one comes by itself.
type Polled struct {
	owner Owner
	conn  poll.Conn
	state atomic.Uint32 // of writing: 0, edge or waits
	ended atomic.Bool   // the peer sends no more
}

const (
	edge  = 1 + iota // the descriptor has become writable since the last write
	waits            // a write waits for that
)

// Ready is called by the goroutine that polls.
func (p *Polled) Ready(t *poll.Turn, e poll.Event) {
	if p.goesOn(e) {
		if n, err := p.goOn(p.owner.Waiting()); err != ErrAgain {
			p.owner.Written(n, err)
		}
	}
	p.tell(t, e)
}

// goesOn reports whether a write waits that can go on now.
func (p *Polled) goesOn(e poll.Event) bool {
	return e&poll.Writable != 0 && p.state.Swap(edge) == waits
}

// goOn writes more of op, and returns how much of it is written.
func (p *Polled) goOn(op *Op) (int, error) {
	before := op.n
	n, err := p.push(op)
	if n > before {
		p.owner.Progress()
	}
	return n, err
}

// tell tells the owner what there is besides.
func (p *Polled) tell(t *poll.Turn, e poll.Event) {
	if e&poll.Closed != 0 {
		p.ended.Store(true)
	}
	if e&poll.Failed != 0 {
		p.owner.Failed()
	}
	if e&(poll.Readable|poll.Closed) != 0 {
		p.owner.Readable(t.Local.(*loop.Worker))
	}
}

func (p *Polled) AwaitRead() {}

func (p *Polled) Read(buf []byte) (n int, err error) {
	n, err = p.conn.Read(buf)
	for err == nil && n < len(buf) && p.ended.Load() { // no more events: find the end now
		var more int
		more, err = p.conn.Read(buf[n:])
		n += more
	}
	return n, err
}

func (p *Polled) Write(op *Op) (int, error) {
	op.n = 0
	return p.push(op)
}

func (p *Polled) Try(op *Op) (int, error) { return p.conn.Write(&op.vector, op.Pieces, 0) }

func (p *Polled) Farewell(b []byte) { p.Try(&Op{Pieces: [][]byte{b}}) }

// push writes the rest of op until all has left or the descriptor takes no more. In
// that case op belongs to the next event from then on.
func (p *Polled) push(op *Op) (int, error) {
	for {
		p.state.Store(0)
		n, err := p.conn.Write(&op.vector, op.Pieces, op.n)
		op.n += n
		n = op.n
		if err != ErrAgain {
			return n, err
		}
		if p.state.CompareAndSwap(0, waits) {
			return n, ErrAgain
		}
	}
}

func (p *Polled) CloseWrite() { p.conn.CloseWrite() }

func (p *Polled) Close(bool) {
	p.conn.Close()
	if p.state.Swap(edge) == waits {
		p.owner.Written(p.owner.Waiting().n, net.ErrClosed)
	}
}
