package conn

import (
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

// keyCost is how many bytes a message with a key takes in the queue besides its own
// and those of the key.
const keyCost = 192

// latest knows the pieces of an outbox that are messages with a key, none of which a
// write has begun. A piece has the number that it had when it was queued: those
// before it may leave.
type latest struct {
	at    map[string]int // by key
	keys  map[int]string // the reverse
	gone  int            // the number of the first piece
	plain int            // pieces before this one have a message without a key behind them
	empty int            // pieces whose message has moved to the end
	cost  int            // in bytes, of the keys
}

// keyed queues a message that takes the place of the one with the same key, if one
// waits, and reports that. It keeps that place unless a message without a key has come
// since: none is overtaken. frame is not copied.
func (o *outbox) keyed(key string, frame []byte) (replaced bool) {
	l := o.needLatest()
	at, found := l.at[key]
	if found && at >= l.plain {
		p := &o.pieces[at-l.gone]
		o.bytes += len(frame) - len(p.b)
		p.b = frame
		return true
	}
	if found {
		o.vacate(at)
	}
	o.closeTail()
	l.put(key, l.gone+len(o.pieces))
	o.pieces = append(o.pieces, piece{b: frame, messages: 1, keyed: true})
	o.bytes += len(frame)
	return found
}

func (o *outbox) needLatest() *latest {
	if o.latest == nil {
		o.latest = &latest{at: make(map[string]int), keys: make(map[int]string)}
	}
	return o.latest
}

// held is how much less the queue takes if the message with that key leaves it.
func (o *outbox) held(key string) int {
	if l := o.latest; l != nil {
		if at, ok := l.at[key]; ok {
			return len(o.pieces[at-l.gone].b) + keyCost + len(key)
		}
	}
	return 0
}

// vacate empties a piece, whose message moves to the end. Empty pieces are never more
// than the others for long.
func (o *outbox) vacate(at int) {
	l := o.latest
	p := &o.pieces[at-l.gone]
	o.bytes -= len(p.b)
	*p = piece{}
	l.forget(at)
	if l.empty++; l.empty > maxWritePiece && l.empty > len(o.pieces)/2 {
		o.compact()
	}
}

// compact takes the empty pieces out.
func (o *outbox) compact() {
	l, kept := o.latest, o.begun()
	if l == nil || l.empty == 0 {
		return
	}
	for i := kept; i < len(o.pieces); i++ {
		p := o.pieces[i]
		if p.b == nil {
			continue
		}
		if p.keyed {
			l.move(l.gone+i, l.gone+kept)
		}
		o.pieces[kept] = p
		kept++
	}
	l.plain -= len(o.pieces) - kept
	l.empty = 0
	clear(o.pieces[kept:])
	o.pieces = o.pieces[:kept]
}

// unkey makes ordinary messages of those in a range of pieces: they are to be written,
// or to be dropped.
func (o *outbox) unkey(from, to int) {
	if o.latest == nil {
		return
	}
	for i := from; i < to; i++ {
		if p := &o.pieces[i]; p.keyed {
			p.keyed = false
			o.latest.forget(o.latest.gone + i)
		}
	}
}

// took notes that the first pieces leave.
func (o *outbox) took(done int) {
	l := o.latest
	if l == nil {
		return
	}
	for _, p := range o.pieces[:done] {
		if p.b == nil {
			l.empty--
		}
	}
	l.gone += done
}

// queuedPlain notes that the last piece is a message without a key.
func (o *outbox) queuedPlain() {
	if l := o.latest; l != nil {
		l.plain = l.gone + len(o.pieces)
	}
}

// shift notes that the pieces after the first have moved: by n to the front.
func (l *latest) shift(n int) {
	if l != nil {
		l.gone += n
	}
}

// extra is what the keys take.
func (l *latest) extra() int {
	if l == nil {
		return 0
	}
	return l.cost
}

func (l *latest) put(key string, at int) {
	l.at[key], l.keys[at] = at, key
	l.cost += keyCost + len(key)
}

func (l *latest) forget(at int) {
	key := l.keys[at]
	delete(l.at, key)
	delete(l.keys, at)
	l.cost -= keyCost + len(key)
}

func (l *latest) move(from, to int) {
	if from == to {
		return
	}
	key := l.keys[from]
	delete(l.keys, from)
	l.at[key], l.keys[to] = to, key
}

// slow reports whether the peer leaves untaken what it was sent. A transport that
// blocks in Write is in one at each write, which tells nothing before it has lasted.
func (w *writing) slow(now int64) bool {
	return w.state == outBlocked && (w.box.inHand == 0 || now-w.box.stalled > atOnce)
}

// coalesce queues a frame with a key if the peer is slow, and reports false otherwise:
// then it is a frame like others.
func (o output) coalesce(f *Frame, key string) (queued bool, err error) {
	if !o.slow() {
		return false, nil
	}
	frame := o.c.apart(f)
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	switch {
	case o.c.sealedLocked():
		return true, ErrClosed
	case !o.c.out.slow(o.c.cfg.Loop.Now()):
		return false, nil
	}
	box := o.c.out.box
	if n := len(frame) + keyCost + len(key) - box.held(key); n > 0 && !box.fits(n, o.c.cfg.SendQueue) {
		if err := o.overflowLocked(n); err != nil {
			return true, err
		}
	}
	if box.keyed(key, frame) {
		o.c.cfg.Counters.Drops.Coalesced.Add(1)
	}
	return true, nil
}

func (o output) slow() bool {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	return o.c.out.slow(o.c.cfg.Loop.Now())
}

// apart is a frame on its own, which may be left out or sent later than others. With
// context takeover it is not compressed: then the window does not depend on it
// (RFC 7692 §7.2.1).
func (c *Conn) apart(f *Frame) []byte {
	switch {
	case c.cfg.Client:
		h := wire.Header{Fin: true, Op: f.op}
		c.cfg.setLength(&h, len(f.Payload()))
		b := wire.AppendHeader(make([]byte, 0, len(f.plain)+4), h)
		body := len(b)
		b = append(b, f.Payload()...)
		wire.Mask(h.Mask, 0, b[body:])
		return b
	case c.codec.takeover():
		return f.plain
	}
	return c.shared(f)
}

// shared is a frame as connections without context takeover send it.
func (c *Conn) shared(f *Frame) []byte {
	if c.codec == nil || len(f.plain) < c.cfg.Threshold {
		return f.plain
	}
	return f.compressed(c.cfg.Level, c.codec.sendBits)
}
