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
		return c.sendCompressed(op, data)
	}
	return c.queue(wire.Header{Fin: true, Op: op}, data)
}

// sendCompressed compresses outside the lock if messages are independent.
func (c *Conn) sendCompressed(op wire.Opcode, data []byte) error {
	buf := buffer.Borrow()
	defer buffer.Release(buf)
	h := wire.Header{Fin: true, Rsv1: true, Op: op}
	if k := c.codec; k.compressor != nil {
		k.mu.Lock()
		defer k.mu.Unlock()
		*buf = k.compressor.Compress((*buf)[:0], data)
		err := c.queue(h, *buf)
		if err != nil {
			k.compressor.Reset() // the peer's window will not have this message
		}
		return err
	}
	*buf = deflate.Compress((*buf)[:0], data, c.cfg.Level, int(c.codec.sendBits))
	if len(*buf) >= len(data) {
		return c.queue(wire.Header{Fin: true, Op: op}, data)
	}
	return c.queue(h, *buf)
}

// queue puts a data frame after the others, and writes unless a batch is open.
func (c *Conn) queue(h wire.Header, payload []byte) error {
	todo, err := c.offerFrame(&h, payload, false)
	if todo == makeRoom {
		c.Flush()
		todo, err = c.offerFrame(&h, payload, true)
	}
	switch todo {
	case flush:
		c.Flush()
	case writeLent:
		c.writeLent()
	}
	return err
}

// offerFrame queues a frame if there is room. made tells that it was asked to be made.
func (c *Conn) offerFrame(h *wire.Header, payload []byte, made bool) (next, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if todo, err := c.admitLocked(len(payload)+wire.MaxHeaderSize, made); todo != nothing || err != nil {
		return todo, err
	}
	c.cfg.setLength(h, len(payload))
	if len(payload) >= largeSize && c.mayLendLocked() {
		c.out.box.lend(*h, payload)
		c.out.start()
		return writeLent, nil
	}
	c.out.box.frame(*h, payload, c.cfg.Slow != DropOldest)
	return c.flushLocked(), nil
}

// mayLendLocked reports whether a message may be written before it is copied. If
// messages may be dropped, each is to be a piece of its own.
func (c *Conn) mayLendLocked() bool {
	return c.phase == Open && !c.cfg.Client && !c.inbox.full() && c.cfg.Slow != DropOldest && c.out.mayLend()
}

// writeLent writes what waits and then the message that was lent, which is copied
// only if it does not leave at once. The caller has begun the write.
func (c *Conn) writeLent() {
	o := c.out.box // stays until the write has ended
	n, err := c.link.Try(&o.op)
	if c.wroteLent(n, err) {
		c.Flush()
	}
}

// SendFrame queues a message that was framed once for many connections.
func (c *Conn) SendFrame(f *Frame) error {
	write, err := c.enqueue(f, false, false)
	if write {
		c.Flush()
	}
	return err
}

// Broadcast is SendFrame with the writing left to the caller: if it reports true, c
// is to be flushed soon. A volatile message is dropped if the peer is slow to take
// what it has been sent already.
func (c *Conn) Broadcast(f *Frame, volatile bool) (write bool) {
	write, _ = c.enqueue(f, volatile, true)
	return write
}

// enqueue queues a frame and reports whether the caller is to flush: with list, only
// if c is not in a list for that already.
func (c *Conn) enqueue(f *Frame, volatile, list bool) (write bool, err error) {
	if c.cfg.Client || c.codec.takeover() {
		if volatile && c.stalled() {
			return false, ErrDropped
		}
		return false, c.Send(f.op, f.payload())
	}
	frame := f.plain
	if c.codec != nil && len(frame) >= c.cfg.Threshold {
		frame = f.compressed(c.cfg.Level, c.codec.sendBits)
	}
	todo, err := c.offerShared(frame, volatile, list, false)
	if todo == makeRoom {
		c.Flush()
		todo, err = c.offerShared(frame, volatile, list, true)
	}
	return todo == flush, err
}

// offerShared is offerFrame for a frame that other connections have too.
func (c *Conn) offerShared(frame []byte, volatile, list, made bool) (next, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if volatile && c.stalledLocked() {
		return nothing, ErrDropped
	}
	if todo, err := c.admitLocked(len(frame), made); todo != nothing || err != nil {
		return todo, err
	}
	c.out.box.shared(frame, c.cfg.Slow != DropOldest, c.out.state == outBlocked)
	todo := c.flushLocked()
	if todo == flush && list && !c.out.list() {
		todo = nothing
	}
	return todo, nil
}

// stalled reports whether the peer has left so much untaken that a volatile message
// is dropped, and counts that.
func (c *Conn) stalled() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stalledLocked()
}

func (c *Conn) stalledLocked() bool {
	if !c.out.stalled() {
		return false
	}
	c.cfg.Counters.Dropped.Add(1)
	return true
}

// flushLocked tells whether what was queued is to be written now; in a batch not
// before it has grown large.
func (c *Conn) flushLocked() next {
	if in := c.inbox; in != nil && in.pull && len(in.messages) > 0 && c.out.box.bytes < flushAt {
		if c.out.list() { // more of one read waits for Receive
			c.cfg.Loop.Flush(c)
		}
		return nothing
	}
	if c.phase != Connecting && c.out.ready(c.runs.holds()) {
		return flush
	}
	return nothing
}

// sealedLocked reports whether nothing more may be queued.
func (c *Conn) sealedLocked() bool { return c.phase >= Closing || c.ending.sealed }

// admitLocked makes sure that n more bytes may be queued. A message that is larger
// than the whole queue is admitted if nothing waits. made tells that the caller has
// made room already.
func (c *Conn) admitLocked(n int, made bool) (next, error) {
	switch {
	case c.sealedLocked():
		return nothing, ErrClosed
	case c.out.need().fits(n, c.cfg.SendQueue):
		return nothing, nil
	case c.out.state == outIdle && c.phase == Open && !made:
		return makeRoom, nil
	}
	return nothing, c.overflowLocked(n)
}

// overflowLocked applies the policy for slow consumers.
func (c *Conn) overflowLocked(n int) error {
	policy := c.cfg.Slow
	if policy == DropOldest && c.codec.takeover() { // later messages may refer to what waits
		policy = DropNewest
	}
	dropped, err := c.out.overflow(policy, n, c.cfg.SendQueue)
	c.cfg.Counters.Dropped.Add(int64(dropped))
	if err == ErrSlow {
		c.cfg.Counters.Slow.Add(1)
		c.closeLocked(tryAgainLater, "slow consumer", false)
	}
	return err
}

// Ping queues a ping with up to 125 bytes (RFC 6455 §5.5.2); longer data is cut.
func (c *Conn) Ping(data []byte) error {
	todo, err := c.offerPing(data[:min(len(data), wire.MaxControlPayload)])
	if todo == flush {
		c.Flush()
	}
	return err
}

func (c *Conn) offerPing(data []byte) (next, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sealedLocked() {
		return nothing, ErrClosed
	}
	c.out.control(c.cfg, wire.OpPing, data)
	return c.flushLocked(), nil
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
