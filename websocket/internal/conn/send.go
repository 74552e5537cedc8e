package conn

import (
	"github.com/nextrush/nextrush/internal/buffer"
	"github.com/nextrush/nextrush/websocket/internal/deflate"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const largeSize = 16 << 10 // bytes from which a message is written before it is copied

// Policy says what happens to a message that does not fit in the send queue.
type Policy uint8

const (
	CloseSlow  Policy = iota // close the connection
	DropNewest               // drop the message
	DropOldest               // drop the messages that have waited longest
)

// output is a connection that sends and writes, from any goroutine.
type output struct{ c *Conn }

// next is what is to be done after something was queued, or to be.
type next uint8

const (
	nothing   next = iota
	flush          // write what is queued
	makeRoom       // write what is queued, and try again
	writeLent      // write what is queued with a message that has not been copied
)

// Send queues a message. It never blocks, and copies data.
func (c *Conn) Send(op wire.Opcode, data []byte) error {
	if c.codec != nil && len(data) >= c.cfg.Threshold {
		return output{c}.sendCompressed(op, data)
	}
	return output{c}.queue(wire.Header{Fin: true, Op: op}, data)
}

// sendCompressed compresses outside the lock if messages are independent.
func (o output) sendCompressed(op wire.Opcode, data []byte) error {
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	h := wire.Header{Fin: true, Rsv1: true, Op: op}
	if k := o.c.codec; k.compressor != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		*buf = k.compressor.Compress((*buf)[:0], data)
		err := o.queue(h, *buf)
		if err != nil {
			k.compressor.Reset() // the peer's window will not have this message
		}
		return err
	}
	*buf = deflate.Compress((*buf)[:0], data, o.c.cfg.Level, int(o.c.codec.sendBits))
	if len(*buf) >= len(data) {
		return o.queue(wire.Header{Fin: true, Op: op}, data)
	}
	return o.queue(h, *buf)
}

// queue puts a data frame after the others, and writes unless a batch is open.
func (o output) queue(h wire.Header, payload []byte) error {
	todo, err := o.offerFrame(&h, payload, false)
	if todo == makeRoom {
		o.c.Flush()
		todo, err = o.offerFrame(&h, payload, true)
	}
	switch todo {
	case flush:
		o.c.Flush()
	case writeLent:
		o.writeLent()
	}
	return err
}

// offerFrame queues a frame if there is room. made tells that it was asked to be made.
func (o output) offerFrame(h *wire.Header, payload []byte, made bool) (next, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if todo, err := o.admitLocked(len(payload)+wire.MaxHeaderSize, made); todo != nothing || err != nil {
		return todo, err
	}
	o.c.cfg.setLength(h, len(payload))
	if len(payload) >= largeSize && o.mayLendLocked() {
		o.c.out.box.Lend(*h, payload)
		o.c.out.start()
		return writeLent, nil
	}
	o.c.out.box.Frame(*h, payload, o.c.cfg.Slow != DropOldest)
	return o.flushLocked(), nil
}

// mayLendLocked reports whether a message may be written before it is copied. If
// messages may be dropped, each is to be a piece of its own.
func (o output) mayLendLocked() bool {
	return o.c.phase == Open && !o.c.cfg.Client && o.c.ledgerLocked() == nil && !o.c.inbox.full() && o.c.cfg.Slow != DropOldest && o.c.out.mayLend()
}

// writeLent writes what waits and then the message that was lent, which is copied
// only if it does not leave at once. The caller has begun the write.
func (o output) writeLent() {
	box := o.c.out.box              // stays until the write has ended
	n, err := o.c.link.Try(&box.Op) // which stays: there is no ledger
	if o.wroteLent(n, err) {
		o.c.Flush()
	}
}

// SendFrame queues a message that was framed once for many connections.
func (c *Conn) SendFrame(f *Frame) error {
	write, err := output{c}.enqueue(f, Manner{}, false)
	if write {
		c.Flush()
	}
	return err
}

// Manner is what becomes of a message if the peer is slow to take what it has been
// sent already.
type Manner struct {
	Volatile bool   // it is dropped
	Key      string // it takes the place of the one with the same key that waits; empty: none
}

// Broadcast is SendFrame with the writing left to the caller: if it reports true, c
// is to be flushed soon.
func (c *Conn) Broadcast(f *Frame, m Manner) (write bool, err error) {
	return output{c}.enqueue(f, m, true)
}

// enqueue queues a frame and reports whether the caller is to flush: with list, only
// if c is not in a list for that already.
func (o output) enqueue(f *Frame, m Manner, list bool) (write bool, err error) {
	if m.Key != "" {
		if queued, err := o.coalesce(f, m.Key); queued {
			return false, err
		}
	}
	if o.c.cfg.Client || o.c.codec.takeover() {
		if m.Volatile && o.stalled() {
			return false, ErrDropped
		}
		return false, o.c.Send(f.op, f.Payload())
	}
	frame := o.c.shared(f)
	todo, err := o.offerShared(frame, m.Volatile, list, false)
	if todo == makeRoom {
		o.c.Flush()
		todo, err = o.offerShared(frame, m.Volatile, list, true)
	}
	return todo == flush, err
}

// offerShared is offerFrame for a frame that other connections have too.
func (o output) offerShared(frame []byte, volatile, list, made bool) (next, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	if volatile && o.stalledLocked() {
		return nothing, ErrDropped
	}
	if todo, err := o.admitLocked(len(frame), made); todo != nothing || err != nil {
		return todo, err
	}
	o.c.out.box.Shared(frame, o.c.cfg.Slow != DropOldest, o.c.out.state == outBlocked)
	todo := o.flushLocked()
	if todo == flush && list && !o.c.out.list() {
		todo = nothing
	}
	return todo, nil
}

// stalled reports whether the peer has left so much untaken that a volatile message
// is dropped, and counts that.
func (o output) stalled() bool {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.stalledLocked()
}

func (o output) stalledLocked() bool {
	if !o.c.out.stalled() {
		return false
	}
	o.c.cfg.Counters.Drops.Volatile.Add(1)
	return true
}

// flushLocked tells whether what was queued is to be written now; in a batch not
// before it has grown large.
func (o output) flushLocked() next {
	if in := o.c.inbox; in != nil && in.pull && len(in.messages) > 0 && o.c.out.box.Bytes < flushAt {
		if o.c.out.list() { // more of one read waits for Receive
			o.c.cfg.Loop.Flush(o.c)
		}
		return nothing
	}
	if o.c.phase != Connecting && o.c.out.ready(o.c.runs.holds()) {
		return flush
	}
	return nothing
}

// sealedLocked reports whether nothing more may be queued.
func (c *Conn) sealedLocked() bool { return c.phase >= Closing || c.ending.sealed }

// admitLocked makes sure that n more bytes may be queued. A message that is larger
// than the whole queue is admitted if nothing waits. made tells that the caller has
// made room already.
func (o output) admitLocked(n int, made bool) (next, error) {
	switch {
	case o.c.sealedLocked():
		return nothing, ErrClosed
	case o.c.out.need().Fits(n, o.queueLimitLocked()):
		return nothing, nil
	case o.c.out.state == outIdle && o.c.phase == Open && !made:
		return makeRoom, nil
	}
	return nothing, o.overflowLocked(n)
}

// overflowLocked applies the policy for slow consumers.
func (o output) overflowLocked(n int) error {
	policy := o.c.cfg.Slow
	switch {
	case o.c.voice.Whole:
		policy = CloseSlow
	case policy == DropOldest && o.c.codec.takeover(): // later messages may refer to what waits
		policy = DropNewest
	}
	if l := o.c.ledgerLocked(); policy == CloseSlow && l.parked() {
		o.c.expireLocked(l, errOverflow)
		return ErrClosed
	}
	dropped, err := o.c.out.overflow(policy, n, o.queueLimitLocked())
	o.c.cfg.Counters.Drops.by(policy).Add(int64(dropped))
	if err == ErrSlow {
		o.c.cfg.Counters.Slow.Add(1)
		o.c.closeLocked(tryAgainLater, "slow consumer", false)
	}
	return err
}

// Ping queues a ping with up to 125 bytes (RFC 6455 §5.5.2); longer data is cut.
func (c *Conn) Ping(data []byte) error {
	todo, err := output{c}.offerPing(data[:min(len(data), wire.MaxControlPayload)])
	if todo == flush {
		c.Flush()
	}
	return err
}

func (o output) offerPing(data []byte) (next, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	switch {
	case o.c.sealedLocked():
		return nothing, ErrClosed
	case o.c.ledgerLocked().parked():
		return nothing, nil
	}
	o.c.out.control(o.c.cfg, wire.OpPing, data)
	return o.flushLocked(), nil
}

// Buffered is how many bytes wait to be written. If there are some, the owner's
// Drained is called when they have left.
func (c *Conn) Buffered() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.out.bytes()
	c.out.backlog = c.out.backlog || n > 0
	return n
}

// Queued is how many bytes wait to be written.
func (c *Conn) Queued() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out.bytes()
}
