package conn

import (
	"io"

	"github.com/nextrush/nextrush/internal/loop"
	"github.com/nextrush/nextrush/internal/transport"
)

// peer is a connection as its first transport sees it: whom to tell what the peer does.
type peer struct{ c *Conn }

// Readable is called by the transport. It is quickest to run in the goroutine that
// polls, but others wait: only handlers that have shown to be quick do.
func (p peer) Readable(w *loop.Worker) { p.readable(w, 0) }

func (p peer) readable(w *loop.Worker, turn uint32) {
	switch {
	case !p.due(turn):
	case w != nil && p.c.pace.Inline():
		run(p).Run(w)
	default:
		p.c.cfg.Loop.Go(run(p))
	}
}

// due notes that there is something to read, and reports whether the caller must see to
// a run.
func (p peer) due(turn uint32) bool {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	return p.c.turnLocked() == turn && p.c.runs.note(workRead)
}

// Waiting is the write that the transport goes on with.
func (p peer) Waiting() *transport.Op { return &p.c.out.box.Op }

// Progress is called by the transport when bytes of a waiting write have left.
func (p peer) Progress() {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	p.c.out.progress(p.c.cfg.Loop.Now())
}

// Written is called by the transport when a write that had to wait has ended.
func (p peer) Written(n int, err error) {
	p.c.mu.Lock()
	more := output(p).tookLocked(n, err)
	p.c.mu.Unlock()
	if more {
		p.c.Flush()
	}
}

// Failed is called by the transport. While somebody reads, that shows it.
func (p peer) Failed() { p.failed(0) }

func (p peer) failed(turn uint32) {
	p.c.mu.Lock()
	defer p.c.mu.Unlock()
	if p.c.runs.reading != inReading && p.c.phase != Connecting && p.c.turnLocked() == turn {
		p.c.brokenLocked(io.ErrUnexpectedEOF)
	}
}

// later is peer for a transport that has come after others.
type later struct {
	peer
	turn uint32
}

func (p *later) Readable(w *loop.Worker) { p.readable(w, p.turn) }
func (p *later) Failed()                 { p.failed(p.turn) }
