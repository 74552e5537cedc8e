// Package outbox is what a connection has queued to be written: frames in order, some of
// which may be dropped, or replaced, while they wait. It knows no connection.
package outbox

import (
	"slices"
	"sync"

	"github.com/nextrush/nextrush/internal/transport"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	arenaSize     = 4 << 10  // bytes of a fresh arena
	arenaMax      = 64 << 10 // bytes of the largest arena that is kept
	inlineShared  = 1 << 10  // a shared frame up to this size is copied after others
	inlineStalled = 64       // the same while the peer takes nothing; about what referring to it costs
	maxWritePiece = 64       // pieces of one gathered write
	keptPieces    = 1 << 10  // of the longest list that is kept
	maxPongs      = 64       // that wait for a peer; then the newest takes the place of the one before (RFC 6455 §5.5.3)
)

// Outbox is what a connection has queued: pieces in order, each a run of whole
// frames. It is borrowed while something waits. Small frames are copied one after
// the other into an arena, large frames that are shared with other connections are
// only referred to. It is guarded by whoever has it.
type Outbox struct {
	pieces []piece
	off    int // bytes of pieces[0] that are written
	Busy   int // pieces that a write in progress refers to
	Bytes  int // waiting in all
	Answer int // bytes of the 101 among them
	InHand int // bytes of a write that tells nothing before its end: the peer may have them
	arena  []byte
	Op     transport.Op
	latest *latest // nil before the first message with a key

	Stalled int64 // when the peer took bytes last, of a write that waits
}

// piece is a run of bytes. open tells that it ends where the arena ends, so
// that the next frame can lengthen it.
type piece struct {
	b        []byte
	messages int32
	open     bool
	urgent   bool // a control frame that went before messages
	keyed    bool // another message may take its place; see latest
	shared   bool // b is not in the arena, and never changes
}

var outboxes = sync.Pool{New: func() any {
	return &Outbox{pieces: newPieces(), arena: make([]byte, 0, arenaSize)}
}}

func newPieces() []piece { return make([]piece, 0, 8) }

// Borrow takes an empty outbox; Release gives it back.
func Borrow() *Outbox { return outboxes.Get().(*Outbox) }

// Release gives a drained outbox back.
func (o *Outbox) Release() {
	clear(o.pieces)
	o.pieces = o.pieces[:0]
	if n := cap(o.pieces); n < 8 || n > keptPieces {
		o.pieces = newPieces()
	}
	o.off, o.Busy, o.Bytes, o.Answer, o.InHand, o.latest = 0, 0, 0, 0, 0, nil
	if cap(o.arena) > arenaMax {
		o.arena = make([]byte, 0, arenaSize)
	}
	o.arena = o.arena[:0]
	outboxes.Put(o)
}

// Empty reports whether nothing waits.
func (o *Outbox) Empty() bool { return len(o.pieces) == 0 }

// MayLend reports whether the next write would take a lent message, too.
func (o *Outbox) MayLend() bool { return len(o.pieces) < maxWritePiece-2 }

// Fits reports whether n more bytes may wait, if limit bytes may.
func (o *Outbox) Fits(n, limit int) bool {
	waiting := o.Bytes + o.latest.extra() - o.Leaving(limit)
	return waiting+n <= limit || waiting == 0
}

// Leaving is how many bytes of a write in progress do not count: those that the peer may
// have, or the rest of a message that is larger than the limit.
func (o *Outbox) Leaving(limit int) int {
	if o.InHand == 0 && o.begun() > 0 && len(o.pieces[0].b) > limit {
		return len(o.pieces[0].b) - o.off
	}
	return o.InHand
}

// reserve makes room for n bytes in the arena. Older pieces keep the arena
// they were written to.
func (o *Outbox) reserve(n int) {
	if cap(o.arena)-len(o.arena) >= n {
		return
	}
	o.closeTail()
	size := min(2*cap(o.arena), arenaMax)
	o.arena = make([]byte, 0, max(size, n))
}

func (o *Outbox) closeTail() {
	if n := len(o.pieces); n > 0 {
		o.pieces[n-1].open = false
	}
}

// commit takes the bytes appended to the arena since start as one more frame.
func (o *Outbox) commit(start int, messages int32, merge bool) {
	n := len(o.arena) - start
	o.Bytes += n
	if messages > 0 {
		defer o.queuedPlain()
	}
	if k := len(o.pieces); merge && k > 0 && o.pieces[k-1].open {
		last := &o.pieces[k-1]
		last.b = last.b[:len(last.b)+n]
		last.messages += messages
		return
	}
	o.closeTail()
	o.pieces = append(o.pieces, piece{b: o.arena[start:len(o.arena):cap(o.arena)], messages: messages, open: merge})
}

// Frame queues a frame, masked if its header says so (RFC 6455 §5.3).
func (o *Outbox) Frame(h wire.Header, payload []byte, merge bool) {
	o.reserve(wire.MaxHeaderSize + len(payload))
	start := len(o.arena)
	o.arena = wire.AppendHeader(o.arena, h)
	body := len(o.arena)
	o.arena = append(o.arena, payload...)
	if h.Masked {
		wire.Mask(h.Mask, 0, o.arena[body:])
	}
	o.commit(start, messageCount(h.Op), merge)
}

// Lend queues a frame whose payload stays the caller's. It is for a write that
// is made at once, after which Settle ends the loan.
func (o *Outbox) Lend(h wire.Header, payload []byte) {
	o.reserve(wire.MaxHeaderSize)
	start := len(o.arena)
	o.arena = wire.AppendHeader(o.arena, h)
	o.commit(start, 0, true)
	o.closeTail()
	o.pieces = append(o.pieces, piece{b: payload, messages: 1})
	o.Bytes += len(payload)
	o.queuedPlain()
}

// Settle copies the lent payload behind its header, so that pieces are whole
// frames again, unless the n bytes that were written include it.
func (o *Outbox) Settle(n int) {
	last := o.Busy - 1
	if n == o.Gathered() {
		return
	}
	head, payload := o.pieces[last-1], o.pieces[last].b
	b := make([]byte, 0, len(head.b)+len(payload))
	head.b = append(append(b, head.b...), payload...)
	head.messages++
	o.pieces[last-1] = head
	o.pieces = slices.Delete(o.pieces, last, last+1)
	o.latest.shift(1)
	o.Busy--
}

func total(pieces []piece) (n int) {
	for _, p := range pieces {
		n += len(p.b)
	}
	return n
}

func messageCount(op wire.Opcode) int32 {
	if op.IsControl() {
		return 0
	}
	return 1
}

// Shared queues a whole frame that other connections have too. stalled tells that
// the peer takes nothing: then others may have to keep the same frame as long.
func (o *Outbox) Shared(frame []byte, merge, stalled bool) {
	inline := inlineShared
	if stalled {
		inline = inlineStalled
	}
	if merge && len(o.pieces) > 0 && len(frame) <= inline {
		o.reserve(len(frame))
		start := len(o.arena)
		o.arena = append(o.arena, frame...)
		o.commit(start, 1, true)
		return
	}
	o.closeTail()
	o.pieces = append(o.pieces, piece{b: frame, messages: 1, shared: true})
	o.Bytes += len(frame)
	o.queuedPlain()
}

// Greet puts the 101 before everything that waits, and behind it the frame of the hello
// if there is one.
func (o *Outbox) Greet(answer, hello []byte) {
	first := []piece{{b: answer}, {b: hello}}
	if len(hello) == 0 {
		first = first[:1]
	}
	o.pieces = slices.Insert(o.pieces, 0, first...)
	o.latest.shift(-len(first))
	o.Bytes += len(answer) + len(hello)
	o.Answer = len(answer)
}

// Messages counts those that wait in the pieces after the first skip.
func (o *Outbox) Messages(skip int) (n int32) {
	for _, p := range o.pieces[skip:] {
		n += p.messages
	}
	return n
}

// Control queues a control frame. One that would wait for a second write goes
// before the messages that wait for it, except for a close frame, which is the
// last (RFC 6455 §5.5.1).
func (o *Outbox) Control(h wire.Header, payload []byte, writing bool) {
	next := min(len(o.pieces), maxWritePiece-1) // pieces that the next write takes, even with a 101 before them
	if !writing && next < maxWritePiece-1 {
		o.Frame(h, payload, true)
		return
	}
	b := wire.AppendHeader(make([]byte, 0, wire.MaxHeaderSize+len(payload)), h)
	body := len(b)
	b = append(b, payload...)
	if h.Masked {
		wire.Mask(h.Mask, 0, b[body:])
	}
	switch {
	case h.Op == wire.OpClose:
		o.closeTail()
		o.pieces = append(o.pieces, piece{b: b})
		o.Bytes += len(b)
	case writing:
		o.urgent(b, o.begun())
	default:
		o.urgent(b, next)
	}
}

// urgent puts a control frame before the messages that wait, after the first
// pieces, which stay, and the control frames that came before it.
func (o *Outbox) urgent(b []byte, first int) {
	at := first
	for at < len(o.pieces) && o.pieces[at].urgent {
		at++
	}
	o.Bytes += len(b)
	if last := at - 1; at-first >= maxPongs && isPong(b) && isPong(o.pieces[last].b) {
		o.Bytes -= len(o.pieces[last].b)
		o.pieces[last].b = b
		return
	}
	if at >= len(o.pieces) {
		o.closeTail()
	}
	o.unkey(0, at)
	o.pieces = slices.Insert(o.pieces, at, piece{b: b, urgent: true})
	o.latest.shift(-1)
	if at > 0 {
		o.pieces[at-1].open = false
	}
}

func isPong(frame []byte) bool { return wire.Opcode(frame[0]&0x0F) == wire.OpPong }

// begun is how many pieces a write has begun; they stay, in their order.
func (o *Outbox) begun() int {
	if o.off > 0 {
		return max(o.Busy, 1)
	}
	return o.Busy
}

// DropOldest drops messages that no write has begun until need bytes fit in
// limit; it returns how many it dropped and whether they fit now. What stays in
// front of those is moved up to the rest, so that the cost is that of what is
// dropped and not of what waits.
func (o *Outbox) DropOldest(need, limit int) (dropped int, ok bool) {
	kept := o.begun()
	at := kept
	for ; at < len(o.pieces) && o.Bytes+o.latest.extra()+need > limit; at++ {
		if p := o.pieces[at]; p.messages > 0 {
			o.unkey(at, at+1)
			o.Bytes -= len(p.b)
			dropped += int(p.messages)
		} else if p.b == nil {
			o.latest.empty--
		} else {
			o.pieces[kept] = p
			kept++
		}
	}
	gap := at - kept
	copy(o.pieces[gap:at], o.pieces[:kept])
	clear(o.pieces[:gap])
	o.pieces = o.pieces[gap:]
	o.latest.shift(gap)
	return dropped, o.Bytes+o.latest.extra()+need <= limit
}

// DropUnwritten drops everything but what a write has begun. A begun frame must
// be finished, or the peer would read what follows as its payload.
func (o *Outbox) DropUnwritten() (dropped int) {
	first := o.begun()
	for _, p := range o.pieces[first:] {
		o.Bytes -= len(p.b)
		dropped += int(p.messages)
	}
	clear(o.pieces[first:])
	o.pieces, o.latest = o.pieces[:first], nil
	o.closeTail()
	return dropped
}

// Gather puts into op what to write next.
func (o *Outbox) Gather() {
	o.compact()
	n := min(len(o.pieces), maxWritePiece)
	o.Busy = n
	o.unkey(0, n)
	o.Op.Pieces = o.Op.Pieces[:0]
	for _, p := range o.pieces[:n] {
		o.Op.Pieces = append(o.Op.Pieces, p.b)
	}
	o.Op.Pieces[0] = o.Op.Pieces[0][o.off:]
}

// Gathered is how many bytes that is.
func (o *Outbox) Gathered() int { return total(o.pieces[:o.Busy]) - o.off }

// Wrote takes n written bytes off the front. It counts the messages that are
// wholly written, and the bytes of frames.
func (o *Outbox) Wrote(n int) (messages int32, frames int) {
	answer := min(n, o.Answer)
	o.Answer -= answer
	frames = n - answer
	o.Bytes -= n
	o.Busy = 0
	n += o.off
	done := 0
	for done < len(o.pieces) && n >= len(o.pieces[done].b) {
		n -= len(o.pieces[done].b)
		messages += o.pieces[done].messages
		done++
	}
	o.off = n
	o.took(done)
	clear(o.Op.Pieces)
	clear(o.pieces[:done])
	if done == len(o.pieces) {
		o.pieces = o.pieces[:0]
	} else {
		o.pieces = o.pieces[done:]
	}
	return messages, frames
}
