package conn

import (
	"cmp"

	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/outbox"
)

const (
	countAfter = 32 << 10 // bytes received, after which the peer is told the count
	countEvery = 5e9      // or nanoseconds
)

// ledger is for a connection that may lose its transport and go on with another: how
// much each side has of the other, and where it stands. Until then the connection is
// parked: it is open, and what it sends waits. It is guarded by the connection's mu. A
// nil ledger is for one that ends with its transport.
type ledger struct {
	sent     outbox.Sent
	received uint64 // messages that the peer counts
	untold   int    // bytes of them since the peer was told
	tellAt   int64  // when to tell it at the latest; 0: there is nothing to tell

	turn  uint32 // the number of the transport
	turns uint32 // the last number that was given
	seen  uint32 // the number of the one that the run reads from
	heard bool   // something has come by this transport, or by the last
	early []byte // that came with it

	wait *parking // nil: there is a transport
}

// parking is a connection's time without a transport.
type parking struct {
	until   int64         // then it ends
	end     End           // with this
	settled chan struct{} // closed when a write ends that is under way; nil: nobody waits
}

// Keep has a connection that is not open yet outlive its transport.
func (c *Conn) Keep() {
	c.rareLocked().ledger = new(ledger)
	c.keeps = true
}

func (c *Conn) ledgerLocked() *ledger {
	if c.rare == nil {
		return nil
	}
	return c.rare.ledger
}

func (l *ledger) parked() bool { return l != nil && l.wait != nil }

// until is when a parked connection ends; never if it is not parked.
func (l *ledger) until() int64 {
	if !l.parked() {
		return never
	}
	return l.wait.until
}

// stale reports whether the run reads from a transport that was lost.
func (l *ledger) stale() bool { return l != nil && l.seen != l.turn }

// next gives a transport a number.
func (l *ledger) next() uint32 {
	l.turns++
	return l.turns
}

func (c *Conn) turnLocked() uint32 {
	if l := c.ledgerLocked(); l != nil {
		return l.turn
	}
	return 0
}

// turnLocked begins to read from another transport. It is of the goroutine of the run.
func (r run) turnLocked(l *ledger) {
	r.c.in.drop()
	if k := r.c.codec; k != nil && k.window != nil {
		*k.window = deflate.Window{}
	}
	r.c.rare.early, l.early = l.early, nil
	r.c.ahead = len(r.c.rare.early) > 0
	l.seen = l.turn
	r.c.runs.pending &^= workRead // which is done now
}

// hearLocked notes that something has come, and reports whether that is stale.
func (c *Conn) hearLocked() (stale bool) {
	l := c.ledgerLocked()
	if l == nil {
		return false
	}
	l.heard = l.heard || !l.stale()
	return l.stale()
}

// countLocked counts a message that has come, and reports whether it is stale. The peer
// is told soon.
func (c *Conn) countLocked(counts bool, size int) (stale bool) {
	l := c.ledgerLocked()
	if l == nil || c.phase != Open {
		return false
	}
	if c.hearLocked() {
		return true
	}
	if !counts {
		return false
	}
	l.received++
	l.untold += size
	if l.untold >= countAfter && !c.out.stalled() {
		c.tellCountLocked(l)
	} else if l.tellAt == 0 {
		l.tellAt = c.cfg.Loop.Now() + countEvery
		c.cfg.Wheel.Schedule(c, l.tellAt)
	}
	return false
}

// tellCountLocked tells the peer how many of its messages have come, or, if it takes
// nothing, later.
func (c *Conn) tellCountLocked(l *ledger) {
	l.untold, l.tellAt = 0, 0
	switch {
	case c.sealedLocked():
	case c.out.stalled():
		l.tellAt = c.cfg.Loop.Now() + countEvery
		c.cfg.Wheel.Schedule(c, l.tellAt)
	default:
		c.out.need().Aside(c.cfg.Got(l.received))
	}
}

// reportCountLocked does so if it is time to, and returns when to look again.
func (c *Conn) reportCountLocked(now int64) (next int64) {
	l := c.ledgerLocked()
	if l == nil || l.tellAt == 0 {
		return never
	}
	if now < l.tellAt {
		return l.tellAt
	}
	c.tellCountLocked(l)
	return cmp.Or(l.tellAt, never)
}

// Got tells how many of our messages the peer has.
func (c *Conn) Got(n uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.ledgerLocked(); l != nil {
		l.sent.Got(n)
	}
}

// Heard reports whether something has come by the present transport, or, while the
// connection is parked, by the last.
func (c *Conn) Heard() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.ledgerLocked()
	return l != nil && l.heard
}
