package conn

import (
	"errors"
	"math/rand/v2"
	"time"

	"github.com/nextrush/nextrush/websocket/internal/outbox"
	"github.com/nextrush/nextrush/websocket/internal/wire"
)

const (
	volatileLimit = 16 << 10 // bytes that may wait for a volatile message to be sent
	flushAt       = 64 << 10 // bytes at which a batch is written before its end

	// atOnce is how long a write may take that the peer takes at once: a transport that
	// blocks in Write cannot tell in another way.
	atOnce = int64(2 * time.Millisecond)
)

// writing is what waits to be written, and who writes it. It is guarded by the
// connection's mu, and knows neither the connection nor its transport.
type writing struct {
	box     *outbox.Outbox // nil while nothing waits
	turn    uint32         // counts writes, to tell one from the next
	state   outState
	dirty   bool // in a list of connections to be flushed
	backlog bool // Drained is owed
	drains  bool // the owner wants it
}

// outState tells who writes.
type outState uint8

const (
	outIdle    outState = iota
	outWriting          // a goroutine owns the front of the outbox
	outBlocked          // the transport is finishing a write in the background
	outParked           // there is no transport
)

// need is the outbox, which is borrowed if there is none.
func (w *writing) need() *outbox.Outbox {
	if w.box == nil {
		w.box = outbox.Borrow()
	}
	return w.box
}

// release gives the outbox back.
func (w *writing) release() {
	if w.box != nil {
		w.box.Release()
		w.box = nil
	}
}

// bytes is how many wait.
func (w *writing) bytes() int {
	if w.box == nil {
		return 0
	}
	return w.box.Bytes
}

// list reports whether the connection is to be put into a list of those to be
// flushed: it is in none.
func (w *writing) list() bool {
	first := !w.dirty
	w.dirty = true
	return first
}

// control queues a control frame (RFC 6455 §5.5), ahead of messages that wait
// for a write under way.
func (w *writing) control(cfg *Config, op wire.Opcode, payload []byte) {
	h := wire.Header{Fin: true, Op: op}
	cfg.setLength(&h, len(payload))
	w.need().Control(h, payload, w.state != outIdle)
}

// setLength gives a frame its length, and its mask if we are the client.
func (cfg *Config) setLength(h *wire.Header, length int) {
	h.Length = int64(length)
	if cfg.Client {
		h.Masked = true
		key := rand.Uint32() // RFC 6455 §5.3: unpredictable; ChaCha8 seeded by the system
		h.Mask = [4]byte{byte(key), byte(key >> 8), byte(key >> 16), byte(key >> 24)}
	}
}

// overflow makes room for n bytes more than fit, or says why there is none. dropped
// counts messages, the one that does not fit among them.
func (w *writing) overflow(policy Policy, n, limit int) (dropped int, err error) {
	switch policy {
	case DropNewest:
		return 1, ErrDropped
	case DropOldest:
		dropped, ok := w.box.DropOldest(n, limit+w.box.Leaving(limit))
		if !ok {
			return dropped + 1, ErrDropped
		}
		return dropped, nil
	}
	return w.box.DropUnwritten() + 1, ErrSlow
}

// stalled reports whether the peer has left so much untaken that a volatile message
// is dropped.
func (w *writing) stalled() bool {
	return w.state == outParked || w.state == outBlocked && w.box.Bytes > volatileLimit
}

// mayLend reports whether a message may be written before it is copied.
func (w *writing) mayLend() bool {
	return w.state == outIdle && w.box.MayLend()
}

// ready reports whether a write is to begin. What is held waits until it has grown
// large.
func (w *writing) ready(held bool) bool {
	return w.state == outIdle && (!held || w.box.Bytes >= flushAt)
}

// idle reports whether something waits that nobody writes.
func (w *writing) idle() bool {
	return w.state == outIdle && w.box != nil && !w.box.Empty()
}

// start begins the write of what is to go next.
func (w *writing) start() {
	w.state = outWriting
	w.turn++
	w.box.Gather()
}

// block notes that the transport goes on with a write, and reports false if that has
// ended already.
func (w *writing) block(turn uint32, now int64) bool {
	if w.state != outWriting || w.turn != turn {
		return false
	}
	w.state = outBlocked
	w.backlog = w.backlog || w.box.InHand == 0 // else see progress
	w.box.Stalled = now
	return true
}

// progress notes that the peer takes bytes of a write that waits, if it still does.
func (w *writing) progress(now int64) {
	if w.box == nil {
		return
	}
	w.backlog = w.backlog || now-w.box.Stalled > atOnce
	w.box.Stalled = now
}

// took ends a write that has taken n bytes, and counts messages and bytes of frames.
func (w *writing) took(n int) (messages int32, frames int) {
	w.state, w.box.InHand = outIdle, 0
	return w.box.Wrote(n)
}

// emptied reports whether the owner is to be told that nothing waits any more.
func (w *writing) emptied() (tell bool) {
	tell = w.backlog && w.drains
	w.backlog = false
	return tell
}

// due is when a peer is given up that may take no bytes for as long as limit.
func (w *writing) due(limit time.Duration) int64 {
	if limit < 0 {
		return never
	}
	return w.box.Stalled + int64(limit)
}

// unsent reports whether messages wait that the peer has not got. Of a write that
// tells nothing before its end it may have all, unless it took nothing.
func (w *writing) unsent(err error) bool {
	if w.box == nil {
		return false
	}
	skip := 0
	if w.box.InHand > 0 && !errors.Is(err, errWriteTimeout) {
		skip = w.box.Busy
	}
	return w.box.Messages(skip) > 0
}
